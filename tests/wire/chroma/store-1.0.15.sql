-- Written by chromadb 1.0.15, without the full-text index and the text of the migrations.
BEGIN TRANSACTION;
CREATE TABLE migrations (
                dir TEXT NOT NULL,
                version INTEGER NOT NULL,
                filename TEXT NOT NULL,
                sql TEXT NOT NULL,
                hash TEXT NOT NULL,
                PRIMARY KEY (dir, version)
            );
INSERT INTO "migrations" VALUES('sysdb', 1, '00001-collections.sqlite.sql', '', '38352d725ad1c16074fac420b22b4633');
INSERT INTO "migrations" VALUES('sysdb', 2, '00002-segments.sqlite.sql', '', '2913cb6a503055a95f625448037e8912');
INSERT INTO "migrations" VALUES('sysdb', 3, '00003-collection-dimension.sqlite.sql', '', '42d22d0574d31d419c2a0e7f625c93aa');
INSERT INTO "migrations" VALUES('sysdb', 4, '00004-tenants-databases.sqlite.sql', '', '048867ce8fcdefe4023c7110e4433591');
INSERT INTO "migrations" VALUES('sysdb', 5, '00005-remove-topic.sqlite.sql', '', 'b1367c826b8fba5f96f27befdc1d42d2');
INSERT INTO "migrations" VALUES('sysdb', 6, '00006-collection-segment-metadata.sqlite.sql', '', '4eea7468935bf25d4604a0fed2366116');
INSERT INTO "migrations" VALUES('sysdb', 7, '00007-collection-config.sqlite.sql', '', '1c7e63bba346a42a18b6ab7f1c989bed');
INSERT INTO "migrations" VALUES('sysdb', 8, '00008-maintenance-log.sqlite.sql', '', '0a0e7e93111a01789addf64961c6127c');
INSERT INTO "migrations" VALUES('sysdb', 9, '00009-segment-collection-not-null.sqlite.sql', '', '054355aef9e63702bf54ea29e61563f1');
INSERT INTO "migrations" VALUES('metadb', 1, '00001-embedding-metadata.sqlite.sql', '', '2b4cf52c4bb2676e21d6860a4409f856');
INSERT INTO "migrations" VALUES('metadb', 2, '00002-embedding-metadata.sqlite.sql', '', '12a570f7121b3a8ce750a2a7c36da20f');
INSERT INTO "migrations" VALUES('metadb', 3, '00003-full-text-tokenize.sqlite.sql', '', 'f97ad6334aeaa8f419f01110b648b97a');
INSERT INTO "migrations" VALUES('metadb', 4, '00004-metadata-indices.sqlite.sql', '', 'fb36603a45ee2cd0254cef3ef86585e8');
INSERT INTO "migrations" VALUES('metadb', 5, '00005-max-seq-id-int.sqlite.sql', '', '0e9de46758761b373ce682925edcc326');
INSERT INTO "migrations" VALUES('embeddings_queue', 1, '00001-embeddings.sqlite.sql', '', 'd3755dfd232be8e8301f4d7fcfb3a486');
INSERT INTO "migrations" VALUES('embeddings_queue', 2, '00002-embeddings-queue-config.sqlite.sql', '', '8fbfe4ffb3e57f1d8bfdc58510a82e85');
CREATE TABLE acquire_write (
                id INTEGER PRIMARY KEY,
                lock_status INTEGER NOT NULL
            );
INSERT INTO "acquire_write" VALUES(1, 1);
CREATE TABLE collection_metadata (
    collection_id TEXT REFERENCES collections(id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    str_value TEXT,
    int_value INTEGER,
    float_value REAL, bool_value INTEGER,
    PRIMARY KEY (collection_id, key)
);
INSERT INTO "collection_metadata" VALUES('5bac37fd-9d2c-4f94-b9d0-9472d52cae92', 'hnsw:space', 'cosine', NULL, NULL, NULL);
INSERT INTO "collection_metadata" VALUES('5bac37fd-9d2c-4f94-b9d0-9472d52cae92', 'hnsw:M', NULL, 24, NULL, NULL);
CREATE TABLE segment_metadata (
    segment_id TEXT  REFERENCES segments(id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    str_value TEXT,
    int_value INTEGER,
    float_value REAL, bool_value INTEGER,
    PRIMARY KEY (segment_id, key)
);
CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    UNIQUE (id)
);
INSERT INTO "tenants" VALUES('default_tenant');
CREATE TABLE databases (
    id TEXT PRIMARY KEY, -- unique globally
    name TEXT NOT NULL, -- unique per tenant
    tenant_id TEXT NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    UNIQUE (tenant_id, name) -- Ensure that a tenant has only one database with a given name
);
INSERT INTO "databases" VALUES('00000000-0000-0000-0000-000000000000', 'default_database', 'default_tenant');
CREATE TABLE "collections" (
    id TEXT PRIMARY KEY, -- unique globally
    name TEXT NOT NULL, -- unique per database
    dimension INTEGER,
    database_id TEXT NOT NULL REFERENCES databases(id) ON DELETE CASCADE, config_json_str TEXT,
    UNIQUE (name, database_id)
);
INSERT INTO "collections" VALUES('5bac37fd-9d2c-4f94-b9d0-9472d52cae92', 'docs', 3, '00000000-0000-0000-0000-000000000000', '{"vector_index":{"hnsw":{"space":"cosine","ef_construction":100,"ef_search":100,"max_neighbors":24,"resize_factor":1.2,"sync_threshold":1000}},"embedding_function":{"type":"known","name":"default","config":{}}}');
INSERT INTO "collections" VALUES('37b20b63-1de0-44f8-8d90-510033d2c849', 'plain', NULL, '00000000-0000-0000-0000-000000000000', '{"vector_index":{"hnsw":{"space":"l2","ef_construction":100,"ef_search":100,"max_neighbors":16,"resize_factor":1.2,"sync_threshold":1000}},"embedding_function":{"type":"known","name":"default","config":{}}}');
CREATE TABLE maintenance_log (
  id INT PRIMARY KEY,
  timestamp INT NOT NULL,
  operation TEXT NOT NULL
);
CREATE TABLE "segments" (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    scope TEXT NOT NULL,
    collection TEXT REFERENCES collection(id) NOT NULL
);
INSERT INTO "segments" VALUES('955e5d7d-6868-4220-9c4f-f906a6934708', 'urn:chroma:segment/vector/hnsw-local-persisted', 'VECTOR', '5bac37fd-9d2c-4f94-b9d0-9472d52cae92');
INSERT INTO "segments" VALUES('7abf77dc-6d66-4e2d-9f73-bbd6b41d1f95', 'urn:chroma:segment/metadata/sqlite', 'METADATA', '5bac37fd-9d2c-4f94-b9d0-9472d52cae92');
INSERT INTO "segments" VALUES('2c48cb8c-cb6e-40ea-bc9f-1448e376f6c5', 'urn:chroma:segment/vector/hnsw-local-persisted', 'VECTOR', '37b20b63-1de0-44f8-8d90-510033d2c849');
INSERT INTO "segments" VALUES('ee37966b-60f1-4c6e-bd79-4276fe80ced2', 'urn:chroma:segment/metadata/sqlite', 'METADATA', '37b20b63-1de0-44f8-8d90-510033d2c849');
CREATE TABLE embeddings (
    id INTEGER PRIMARY KEY,
    segment_id TEXT NOT NULL,
    embedding_id TEXT NOT NULL,
    seq_id BLOB NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (segment_id, embedding_id)
);
INSERT INTO "embeddings" VALUES(1, '7abf77dc-6d66-4e2d-9f73-bbd6b41d1f95', '1', 1, '2026-11-24 02:36:04');
INSERT INTO "embeddings" VALUES(2, '7abf77dc-6d66-4e2d-9f73-bbd6b41d1f95', '2', 2, '2026-11-24 02:36:04');
INSERT INTO "embeddings" VALUES(3, '7abf77dc-6d66-4e2d-9f73-bbd6b41d1f95', '3', 3, '2026-11-24 02:36:04');
CREATE TABLE embedding_metadata (
    id INTEGER REFERENCES embeddings(id),
    key TEXT NOT NULL,
    string_value TEXT,
    int_value INTEGER,
    float_value REAL, bool_value INTEGER,
    PRIMARY KEY (id, key)
);
INSERT INTO "embedding_metadata" VALUES(1, 'chroma:document', 'one', NULL, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(1, 'source', 's3://b/1', NULL, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(1, 'page', NULL, 1, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(2, 'chroma:document', 'two', NULL, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(2, 'page', NULL, NULL, 2.5, NULL);
INSERT INTO "embedding_metadata" VALUES(2, 'source', 's3://b/1', NULL, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(3, 'ok', NULL, NULL, NULL, 1);
INSERT INTO "embedding_metadata" VALUES(3, 'source', 's3://b/2', NULL, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(3, 'chroma:document', 'three', NULL, NULL, NULL);
CREATE TABLE max_seq_id (
    segment_id TEXT PRIMARY KEY,
    seq_id INTEGER);
INSERT INTO "max_seq_id" VALUES('7abf77dc-6d66-4e2d-9f73-bbd6b41d1f95', 3);
CREATE INDEX embedding_metadata_int_value ON embedding_metadata (key, int_value) WHERE int_value IS NOT NULL;
CREATE INDEX embedding_metadata_float_value ON embedding_metadata (key, float_value) WHERE float_value IS NOT NULL;
CREATE INDEX embedding_metadata_string_value ON embedding_metadata (key, string_value) WHERE string_value IS NOT NULL;
CREATE TABLE embeddings_queue (
    seq_id INTEGER PRIMARY KEY,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    operation INTEGER NOT NULL,
    topic TEXT NOT NULL,
    id TEXT NOT NULL,
    vector BLOB,
    encoding TEXT,
    metadata TEXT
);
INSERT INTO "embeddings_queue" VALUES(1, '2026-11-24 02:36:04', 0, 'persistent://default/default/5bac37fd-9d2c-4f94-b9d0-9472d52cae92', '1', X'0000803f0000004000004040', 'FLOAT32', '{"page":1,"chroma:document":"one","source":"s3://b/1"}');
INSERT INTO "embeddings_queue" VALUES(2, '2026-11-24 02:36:04', 0, 'persistent://default/default/5bac37fd-9d2c-4f94-b9d0-9472d52cae92', '2', X'0000803f0000004000004040', 'FLOAT32', '{"page":2.5,"source":"s3://b/1","chroma:document":"two"}');
INSERT INTO "embeddings_queue" VALUES(3, '2026-11-24 02:36:04', 0, 'persistent://default/default/5bac37fd-9d2c-4f94-b9d0-9472d52cae92', '3', X'0000803f0000004000004040', 'FLOAT32', '{"source":"s3://b/2","ok":true,"chroma:document":"three"}');
CREATE TABLE embeddings_queue_config (
    id INTEGER PRIMARY KEY,
    config_json_str TEXT
);
INSERT INTO "embeddings_queue_config" VALUES(1, '{"automatically_purge":true,"_type":"EmbeddingsQueueConfigurationInternal"}');
COMMIT;
