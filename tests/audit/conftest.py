"""A deployment on a disk: configuration, keys, a sealed file, a journal."""

from deployment_fixtures import (  # noqa: F401
    config,
    journal,
    make_config,
    new_alert,
    now,
    on_disk,
    own_temporary_folder,
    sealed,
    secret,
)
