"""What every command writes: where (`places`), and how pictures look (`picture_style`)."""
