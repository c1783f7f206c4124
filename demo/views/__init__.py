"""Values -> what is shown, one module or folder a tab. Nothing here knows components."""
