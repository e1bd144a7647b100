"""From any source to uint8 images, and from images to views of them."""
