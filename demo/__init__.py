"""The browser demo: interface only. Everything about boxes, images and the network is in model/."""
