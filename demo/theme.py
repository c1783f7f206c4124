"""The look of the page: one theme, light and dark, that loads nothing from other hosts."""

import gradio as gr

from demo.web_files import WEB, script

CSS = WEB / "style.css"
# Order matters: the first defines the object that the others use.
SCRIPTS = ("page", "edit_history", "own_photos", "keyboard", "touch_sliders", "settings", "enlarge")
HEAD = "".join(f"<script>{script(name)}</script>" for name in SCRIPTS)


def page_theme() -> gr.themes.Base:
    """Gradio's base theme in our colours and with the system's fonts."""
    return gr.themes.Base(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="slate",
        font=["system-ui", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
        radius_size="md",
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        slider_color="*primary_700",
        slider_color_dark="*primary_400",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )
