"""Values -> what is shown, one module a tab. Nothing here knows components."""
