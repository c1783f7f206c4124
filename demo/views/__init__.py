"""HTML of the tabs, made from plain values: no Gradio components. One module or folder per tab."""
