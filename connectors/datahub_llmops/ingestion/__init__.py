"""What every DataHub source of this plugin is built from."""
