"""Pictures with what is known of them, finished work by key, the exact cache, and rules for storing."""

NUMBER = 2
NAME = "assets"

STATEMENTS = (
    """
    CREATE TABLE assets (
        id TEXT PRIMARY KEY, request_id TEXT NOT NULL, image_index INTEGER NOT NULL, scope {path} NOT NULL,
        made_at BIGINT NOT NULL, purpose TEXT NOT NULL, tier TEXT, model TEXT NOT NULL, cost BIGINT NOT NULL,
        digest TEXT, bytes BIGINT NOT NULL, media_type TEXT NOT NULL, width INTEGER NOT NULL,
        height INTEGER NOT NULL, response_id TEXT, work_key TEXT, cache_key TEXT, provenance TEXT NOT NULL,
        stored BOOLEAN NOT NULL, thumbnail TEXT, details TEXT, words TEXT, slots TEXT, record {bytes},
        removed_at BIGINT, removed_why TEXT
    )
    """,
    "CREATE INDEX assets_by_time ON assets (made_at)",
    "CREATE INDEX assets_by_scope ON assets (scope, made_at)",
    "CREATE INDEX assets_by_request ON assets (request_id)",
    "CREATE INDEX assets_by_digest ON assets (digest)",
    "CREATE INDEX assets_by_slots ON assets (scope, slots)",
    """
    CREATE TABLE asset_blobs (
        asset_id TEXT NOT NULL, digest TEXT NOT NULL, role TEXT NOT NULL,
        PRIMARY KEY (asset_id, digest, role)
    )
    """,
    "CREATE INDEX asset_blobs_by_digest ON asset_blobs (digest)",
    """
    CREATE TABLE asset_parents (
        asset_id TEXT NOT NULL, place INTEGER NOT NULL, digest TEXT NOT NULL, role TEXT NOT NULL, name TEXT,
        PRIMARY KEY (asset_id, place)
    )
    """,
    "CREATE INDEX asset_parents_by_digest ON asset_parents (digest)",
    "CREATE TABLE storing_rules (scope {path} PRIMARY KEY, store TEXT NOT NULL, keep_days INTEGER)",
    """
    CREATE TABLE works (
        scope {path} NOT NULL, work_key TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL,
        owner TEXT NOT NULL, turn INTEGER NOT NULL, request_id TEXT NOT NULL, begun_at BIGINT NOT NULL,
        ended_at BIGINT, lease_until BIGINT NOT NULL, lease_epoch TEXT NOT NULL, lease_length BIGINT NOT NULL,
        cost BIGINT NOT NULL, record {bytes},
        PRIMARY KEY (scope, work_key)
    )
    """,
    # What is left of a try is looked up by its request.
    "CREATE INDEX holds_by_request ON holds (request_id)",
    "CREATE INDEX sends_by_request ON sends (request_id)",
    """
    CREATE TABLE cached_images (
        scope {path} NOT NULL, cache_key TEXT NOT NULL, asset_id TEXT NOT NULL, cost BIGINT NOT NULL,
        bytes BIGINT NOT NULL, made_at BIGINT NOT NULL, used_at BIGINT NOT NULL, hits INTEGER NOT NULL,
        PRIMARY KEY (scope, cache_key)
    )
    """,
    "CREATE INDEX cached_images_by_use ON cached_images (used_at)",
    "CREATE INDEX cached_images_by_asset ON cached_images (asset_id)",
)
