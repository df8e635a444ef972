PRAGMA application_id=1819045231;
PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE aspect (
    id integer primary key,
    asset integer not null,
    name text not null,
    body text not null,
    unique (asset, name)
);
INSERT INTO "aspect" VALUES(1,1,'glossaryNodeInfo','{"customProperties":{},"definition":"How data about people may be used.","name":"Data protection"}');
INSERT INTO "aspect" VALUES(2,1,'ownership','{"owners":[{"owner":"urn:li:corpuser:lior","type":"DEVELOPER"}],"ownerTypes":{},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"}}');
INSERT INTO "aspect" VALUES(3,2,'glossaryTermInfo','{"customProperties":{},"name":"Personal data","definition":"Says something about a person who can be identified. Needs a purpose, and is deleted on request.","parentNode":"urn:li:glossaryNode:data-protection","termSource":"INTERNAL","sourceRef":"Data office"}');
INSERT INTO "aspect" VALUES(4,2,'ownership','{"owners":[{"owner":"urn:li:corpuser:lior","type":"DEVELOPER"}],"ownerTypes":{},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"}}');
INSERT INTO "aspect" VALUES(5,3,'glossaryNodeInfo','{"customProperties":{},"definition":"Texts that are written to be read.","name":"Documentation"}');
INSERT INTO "aspect" VALUES(6,3,'ownership','{"owners":[{"owner":"urn:li:corpuser:lior","type":"DEVELOPER"}],"ownerTypes":{},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"}}');
INSERT INTO "aspect" VALUES(7,4,'glossaryTermInfo','{"customProperties":{},"name":"Public documentation","definition":"Published already; may be quoted in an answer.","parentNode":"urn:li:glossaryNode:documentation","termSource":"INTERNAL","sourceRef":"Data office"}');
INSERT INTO "aspect" VALUES(8,4,'ownership','{"owners":[{"owner":"urn:li:corpuser:lior","type":"DEVELOPER"}],"ownerTypes":{},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"}}');
INSERT INTO "aspect" VALUES(9,1,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(10,3,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(11,2,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(12,4,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(13,5,'containerProperties','{"customProperties":{"platform":"sqlite","env":"PROD","database":"demo/warehouse.db"},"name":"demo/warehouse.db","env":"PROD"}');
INSERT INTO "aspect" VALUES(14,5,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(15,5,'dataPlatformInstance','{"platform":"urn:li:dataPlatform:sqlite"}');
INSERT INTO "aspect" VALUES(16,5,'subTypes','{"typeNames":["Database"]}');
INSERT INTO "aspect" VALUES(17,5,'browsePathsV2','{"path":[]}');
INSERT INTO "aspect" VALUES(18,6,'container','{"container":"urn:li:container:12f95e388b6b09ad91837869710cd581"}');
INSERT INTO "aspect" VALUES(19,6,'containerProperties','{"customProperties":{"platform":"sqlite","env":"PROD","database":"demo/warehouse.db","schema":"main"},"name":"main","env":"PROD"}');
INSERT INTO "aspect" VALUES(20,6,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(21,6,'dataPlatformInstance','{"platform":"urn:li:dataPlatform:sqlite"}');
INSERT INTO "aspect" VALUES(22,6,'subTypes','{"typeNames":["Schema"]}');
INSERT INTO "aspect" VALUES(23,6,'browsePathsV2','{"path":[{"id":"urn:li:container:12f95e388b6b09ad91837869710cd581","urn":"urn:li:container:12f95e388b6b09ad91837869710cd581"}]}');
INSERT INTO "aspect" VALUES(24,7,'container','{"container":"urn:li:container:64ac3b613188756eed137ac0949ebe3c"}');
INSERT INTO "aspect" VALUES(25,7,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(26,7,'datasetProperties','{"customProperties":{},"name":"entries","tags":[]}');
INSERT INTO "aspect" VALUES(27,7,'schemaMetadata','{"schemaName":"main.entries","platform":"urn:li:dataPlatform:sqlite","version":0,"created":{"time":0,"actor":"urn:li:corpuser:unknown"},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"},"hash":"","platformSchema":{"com.linkedin.schema.MySqlDDL":{"tableSchema":""}},"fields":[{"fieldPath":"id","nullable":true,"type":{"type":{"com.linkedin.schema.NumberType":{}}},"nativeDataType":"INTEGER","recursive":false,"isPartOfKey":true},{"fieldPath":"module_id","nullable":false,"type":{"type":{"com.linkedin.schema.NumberType":{}}},"nativeDataType":"INTEGER","recursive":false,"isPartOfKey":false},{"fieldPath":"qualified_name","nullable":false,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"kind","nullable":false,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"signature","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"doc","nullable":false,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false}],"foreignKeys":[{"name":"entry_module","foreignFields":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD),id)"],"sourceFields":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),module_id)"],"foreignDataset":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD)"}]}');
INSERT INTO "aspect" VALUES(28,7,'subTypes','{"typeNames":["Table"]}');
INSERT INTO "aspect" VALUES(29,7,'browsePathsV2','{"path":[{"id":"urn:li:container:12f95e388b6b09ad91837869710cd581","urn":"urn:li:container:12f95e388b6b09ad91837869710cd581"},{"id":"urn:li:container:64ac3b613188756eed137ac0949ebe3c","urn":"urn:li:container:64ac3b613188756eed137ac0949ebe3c"}]}');
INSERT INTO "aspect" VALUES(30,8,'container','{"container":"urn:li:container:64ac3b613188756eed137ac0949ebe3c"}');
INSERT INTO "aspect" VALUES(31,8,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(32,8,'datasetProperties','{"customProperties":{},"name":"maintainers","tags":[]}');
INSERT INTO "aspect" VALUES(33,8,'schemaMetadata','{"schemaName":"main.maintainers","platform":"urn:li:dataPlatform:sqlite","version":0,"created":{"time":0,"actor":"urn:li:corpuser:unknown"},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"},"hash":"","platformSchema":{"com.linkedin.schema.MySqlDDL":{"tableSchema":""}},"fields":[{"fieldPath":"id","nullable":true,"type":{"type":{"com.linkedin.schema.NumberType":{}}},"nativeDataType":"INTEGER","recursive":false,"isPartOfKey":true},{"fieldPath":"name","nullable":false,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"email","nullable":false,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"team","nullable":false,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false}]}');
INSERT INTO "aspect" VALUES(34,8,'subTypes','{"typeNames":["Table"]}');
INSERT INTO "aspect" VALUES(35,8,'browsePathsV2','{"path":[{"id":"urn:li:container:12f95e388b6b09ad91837869710cd581","urn":"urn:li:container:12f95e388b6b09ad91837869710cd581"},{"id":"urn:li:container:64ac3b613188756eed137ac0949ebe3c","urn":"urn:li:container:64ac3b613188756eed137ac0949ebe3c"}]}');
INSERT INTO "aspect" VALUES(36,9,'container','{"container":"urn:li:container:64ac3b613188756eed137ac0949ebe3c"}');
INSERT INTO "aspect" VALUES(37,9,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(38,9,'datasetProperties','{"customProperties":{},"name":"modules","tags":[]}');
INSERT INTO "aspect" VALUES(39,9,'schemaMetadata','{"schemaName":"main.modules","platform":"urn:li:dataPlatform:sqlite","version":0,"created":{"time":0,"actor":"urn:li:corpuser:unknown"},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"},"hash":"","platformSchema":{"com.linkedin.schema.MySqlDDL":{"tableSchema":""}},"fields":[{"fieldPath":"id","nullable":true,"type":{"type":{"com.linkedin.schema.NumberType":{}}},"nativeDataType":"INTEGER","recursive":false,"isPartOfKey":true},{"fieldPath":"name","nullable":false,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"package","nullable":false,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"summary","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"maintainer_id","nullable":false,"type":{"type":{"com.linkedin.schema.NumberType":{}}},"nativeDataType":"INTEGER","recursive":false,"isPartOfKey":false}],"foreignKeys":[{"name":"module_maintainer","foreignFields":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),id)"],"sourceFields":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD),maintainer_id)"],"foreignDataset":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD)"}]}');
INSERT INTO "aspect" VALUES(40,9,'subTypes','{"typeNames":["Table"]}');
INSERT INTO "aspect" VALUES(41,9,'browsePathsV2','{"path":[{"id":"urn:li:container:12f95e388b6b09ad91837869710cd581","urn":"urn:li:container:12f95e388b6b09ad91837869710cd581"},{"id":"urn:li:container:64ac3b613188756eed137ac0949ebe3c","urn":"urn:li:container:64ac3b613188756eed137ac0949ebe3c"}]}');
INSERT INTO "aspect" VALUES(42,10,'container','{"container":"urn:li:container:64ac3b613188756eed137ac0949ebe3c"}');
INSERT INTO "aspect" VALUES(43,10,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(44,10,'datasetProperties','{"customProperties":{"is_view":"True","view_definition":"CREATE VIEW entry_docs as\nselect e.id as id, e.qualified_name as qualified_name, e.kind as kind, e.doc as doc,\n       m.name as module, m.maintainer_id as maintainer_id\nfrom main.entries e\njoin main.modules m on m.id = e.module_id"},"name":"entry_docs","tags":[]}');
INSERT INTO "aspect" VALUES(45,10,'schemaMetadata','{"schemaName":"main.entry_docs","platform":"urn:li:dataPlatform:sqlite","version":0,"created":{"time":0,"actor":"urn:li:corpuser:unknown"},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"},"hash":"","platformSchema":{"com.linkedin.schema.MySqlDDL":{"tableSchema":""}},"fields":[{"fieldPath":"id","nullable":true,"type":{"type":{"com.linkedin.schema.NumberType":{}}},"nativeDataType":"INTEGER","recursive":false,"isPartOfKey":false},{"fieldPath":"qualified_name","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"kind","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"doc","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"module","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"TEXT","recursive":false,"isPartOfKey":false},{"fieldPath":"maintainer_id","nullable":true,"type":{"type":{"com.linkedin.schema.NumberType":{}}},"nativeDataType":"INTEGER","recursive":false,"isPartOfKey":false}]}');
INSERT INTO "aspect" VALUES(46,10,'subTypes','{"typeNames":["View"]}');
INSERT INTO "aspect" VALUES(47,10,'viewProperties','{"materialized":false,"viewLogic":"CREATE VIEW entry_docs as\nselect e.id as id, e.qualified_name as qualified_name, e.kind as kind, e.doc as doc,\n       m.name as module, m.maintainer_id as maintainer_id\nfrom main.entries e\njoin main.modules m on m.id = e.module_id","viewLanguage":"SQL"}');
INSERT INTO "aspect" VALUES(48,10,'upstreamLineage','{"upstreams":[{"auditStamp":{"time":1795962054143,"actor":"urn:li:corpuser:_ingestion"},"created":{"time":0,"actor":"urn:li:corpuser:_ingestion"},"dataset":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD)","type":"VIEW","query":"urn:li:query:view_c57e21b0597d2d7991853a9e66bea0dad2f36d223b5775c6574ffcb8d0f74aab"},{"auditStamp":{"time":1795962054143,"actor":"urn:li:corpuser:_ingestion"},"created":{"time":0,"actor":"urn:li:corpuser:_ingestion"},"dataset":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD)","type":"VIEW","query":"urn:li:query:view_c57e21b0597d2d7991853a9e66bea0dad2f36d223b5775c6574ffcb8d0f74aab"}],"fineGrainedLineages":[{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),id)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),id)"],"transformOperation":"COPY: \"e\".\"id\" AS \"id\"","confidenceScore":0.4,"query":"urn:li:query:view_c57e21b0597d2d7991853a9e66bea0dad2f36d223b5775c6574ffcb8d0f74aab"},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),qualified_name)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),qualified_name)"],"transformOperation":"COPY: \"e\".\"qualified_name\" AS \"qualified_name\"","confidenceScore":0.4,"query":"urn:li:query:view_c57e21b0597d2d7991853a9e66bea0dad2f36d223b5775c6574ffcb8d0f74aab"},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),kind)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),kind)"],"transformOperation":"COPY: \"e\".\"kind\" AS \"kind\"","confidenceScore":0.4,"query":"urn:li:query:view_c57e21b0597d2d7991853a9e66bea0dad2f36d223b5775c6574ffcb8d0f74aab"},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),doc)"],"transformOperation":"COPY: \"e\".\"doc\" AS \"doc\"","confidenceScore":0.4,"query":"urn:li:query:view_c57e21b0597d2d7991853a9e66bea0dad2f36d223b5775c6574ffcb8d0f74aab"},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD),name)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),module)"],"transformOperation":"COPY: \"m\".\"name\" AS \"name\"","confidenceScore":0.4,"query":"urn:li:query:view_c57e21b0597d2d7991853a9e66bea0dad2f36d223b5775c6574ffcb8d0f74aab"},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD),maintainer_id)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),maintainer_id)"],"transformOperation":"COPY: \"m\".\"maintainer_id\" AS \"maintainer_id\"","confidenceScore":0.4,"query":"urn:li:query:view_c57e21b0597d2d7991853a9e66bea0dad2f36d223b5775c6574ffcb8d0f74aab"}]}');
INSERT INTO "aspect" VALUES(49,10,'browsePathsV2','{"path":[{"id":"urn:li:container:12f95e388b6b09ad91837869710cd581","urn":"urn:li:container:12f95e388b6b09ad91837869710cd581"},{"id":"urn:li:container:64ac3b613188756eed137ac0949ebe3c","urn":"urn:li:container:64ac3b613188756eed137ac0949ebe3c"}]}');
INSERT INTO "aspect" VALUES(50,23,'queryProperties','{"customProperties":{},"statement":{"value":"CREATE VIEW entry_docs AS\nSELECT\n  e.id AS id,\n  e.qualified_name AS qualified_name,\n  e.kind AS kind,\n  e.doc AS doc,\n  m.name AS module,\n  m.maintainer_id AS maintainer_id\nFROM main.entries AS e\nJOIN main.modules AS m\n  ON m.id = e.module_id","language":"SQL"},"source":"SYSTEM","created":{"time":0,"actor":"urn:li:corpuser:_ingestion"},"lastModified":{"time":1795962054201,"actor":"urn:li:corpuser:_ingestion"}}');
INSERT INTO "aspect" VALUES(51,23,'querySubjects','{"subjects":[{"entity":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD)"},{"entity":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD)"},{"entity":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),id)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),kind)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),qualified_name)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD),maintainer_id)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD),name)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),id)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),qualified_name)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),kind)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),doc)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),module)"},{"entity":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),maintainer_id)"}]}');
INSERT INTO "aspect" VALUES(52,23,'dataPlatformInstance','{"platform":"urn:li:dataPlatform:sqlite"}');
INSERT INTO "aspect" VALUES(53,23,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(54,8,'ownership','{"owners":[{"owner":"urn:li:corpuser:hana","type":"DATAOWNER"}],"ownerTypes":{},"lastModified":{"time":1795962054658,"actor":"urn:li:corpuser:ingestion"}}');
INSERT INTO "aspect" VALUES(55,8,'editableDatasetProperties','{"created":{"time":1795962054658,"actor":"urn:li:corpuser:ingestion"},"lastModified":{"time":1795962054658,"actor":"urn:li:corpuser:ingestion"},"description":"Who looks after which part of the library; invented people."}');
INSERT INTO "aspect" VALUES(56,9,'ownership','{"owners":[{"owner":"urn:li:corpuser:jonas","type":"DATAOWNER"}],"ownerTypes":{},"lastModified":{"time":1795962054658,"actor":"urn:li:corpuser:ingestion"}}');
INSERT INTO "aspect" VALUES(57,9,'editableDatasetProperties','{"created":{"time":1795962054659,"actor":"urn:li:corpuser:ingestion"},"lastModified":{"time":1795962054659,"actor":"urn:li:corpuser:ingestion"},"description":"One row for every public module of the standard library."}');
INSERT INTO "aspect" VALUES(58,7,'ownership','{"owners":[{"owner":"urn:li:corpuser:jonas","type":"DATAOWNER"}],"ownerTypes":{},"lastModified":{"time":1795962054659,"actor":"urn:li:corpuser:ingestion"}}');
INSERT INTO "aspect" VALUES(59,7,'editableDatasetProperties','{"created":{"time":1795962054659,"actor":"urn:li:corpuser:ingestion"},"lastModified":{"time":1795962054659,"actor":"urn:li:corpuser:ingestion"},"description":"One row for every public definition that has a docstring."}');
INSERT INTO "aspect" VALUES(60,10,'ownership','{"owners":[{"owner":"urn:li:corpuser:ada","type":"DATAOWNER"}],"ownerTypes":{},"lastModified":{"time":1795962054660,"actor":"urn:li:corpuser:ingestion"}}');
INSERT INTO "aspect" VALUES(61,10,'editableDatasetProperties','{"created":{"time":1795962054660,"actor":"urn:li:corpuser:ingestion"},"lastModified":{"time":1795962054660,"actor":"urn:li:corpuser:ingestion"},"description":"What the knowledge base is built from."}');
INSERT INTO "aspect" VALUES(62,8,'editableSchemaMetadata','{"created":{"time":1795962054660,"actor":"urn:li:corpuser:ingestion"},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"},"editableSchemaFieldInfo":[{"fieldPath":"name","glossaryTerms":{"terms":[{"urn":"urn:li:glossaryTerm:personal-data"}],"auditStamp":{"time":1795962054660,"actor":"urn:li:corpuser:ingestion"}}},{"fieldPath":"email","glossaryTerms":{"terms":[{"urn":"urn:li:glossaryTerm:personal-data"}],"auditStamp":{"time":1795962054660,"actor":"urn:li:corpuser:ingestion"}}}]}');
INSERT INTO "aspect" VALUES(63,7,'editableSchemaMetadata','{"created":{"time":1795962054675,"actor":"urn:li:corpuser:ingestion"},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"},"editableSchemaFieldInfo":[{"fieldPath":"doc","glossaryTerms":{"terms":[{"urn":"urn:li:glossaryTerm:public-documentation"}],"auditStamp":{"time":1795962054675,"actor":"urn:li:corpuser:ingestion"}}}]}');
INSERT INTO "aspect" VALUES(64,2,'glossaryTermKey','{"name":"personal-data"}');
INSERT INTO "aspect" VALUES(65,4,'glossaryTermKey','{"name":"public-documentation"}');
INSERT INTO "aspect" VALUES(66,26,'dataPlatformInfo','{"name":"chroma","displayName":"Chroma","type":"OTHERS","datasetNameDelimiter":".","logoUrl":"data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCA2NCA2NCIgd2lkdGg9IjY0IiBoZWlnaHQ9IjY0Ij48cmVjdCB3aWR0aD0iNjQiIGhlaWdodD0iNjQiIHJ4PSIxMiIgZmlsbD0iIzZkM2JkMSIvPjxwYXRoIGQ9Ik0yNCA0NiAzNiAxOGwxMiAyOHoiIGZpbGw9IiNmZmYiLz48cGF0aCBkPSJNOCAzOGwxOC0yIiBzdHJva2U9IiNmZmYiIHN0cm9rZS13aWR0aD0iMyIvPjxwYXRoIGQ9Ik00MyAzMGwxMy03IiBzdHJva2U9IiNmZmQ0M2IiIHN0cm9rZS13aWR0aD0iMyIvPjxwYXRoIGQ9Ik00NSAzNWwxMi0xIiBzdHJva2U9IiM2M2U2YmUiIHN0cm9rZS13aWR0aD0iMyIvPjxwYXRoIGQ9Ik00NyA0MGwxMCA1IiBzdHJva2U9IiNmZjg3ODciIHN0cm9rZS13aWR0aD0iMyIvPjwvc3ZnPgo="}');
INSERT INTO "aspect" VALUES(67,27,'propertyDefinition','{"qualifiedName":"datahub_llmops.chunk_overlap","displayName":"Chunk overlap","valueType":"urn:li:dataType:datahub.number","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset","urn:li:entityType:datahub.dataJob"],"description":"Overlap of neighbouring chunks, in the unit of the splitter.","immutable":false}');
INSERT INTO "aspect" VALUES(68,27,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":false,"showInAssetSummary":true,"hideInAssetSummaryWhenEmpty":true,"showAsAssetBadge":false,"showInColumnsTable":false}');
INSERT INTO "aspect" VALUES(69,28,'propertyDefinition','{"qualifiedName":"datahub_llmops.chunk_size","displayName":"Chunk size","valueType":"urn:li:dataType:datahub.number","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset","urn:li:entityType:datahub.dataJob"],"description":"Largest size of a chunk, in the unit of the splitter.","immutable":false}');
INSERT INTO "aspect" VALUES(70,28,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":true,"showInAssetSummary":true,"hideInAssetSummaryWhenEmpty":true,"showAsAssetBadge":false,"showInColumnsTable":false}');
INSERT INTO "aspect" VALUES(71,29,'propertyDefinition','{"qualifiedName":"datahub_llmops.chunking_method","displayName":"Chunking","valueType":"urn:li:dataType:datahub.string","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset","urn:li:entityType:datahub.dataJob"],"description":"How documents are split before they are embedded.","immutable":false}');
INSERT INTO "aspect" VALUES(72,29,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":true,"showInAssetSummary":true,"hideInAssetSummaryWhenEmpty":true,"showAsAssetBadge":false,"showInColumnsTable":false}');
INSERT INTO "aspect" VALUES(73,30,'propertyDefinition','{"qualifiedName":"datahub_llmops.count_is_estimate","displayName":"Count is an estimate","valueType":"urn:li:dataType:datahub.string","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset"],"description":"Whether the row count of the profile is the store''s estimate, not a count.","immutable":false}');
INSERT INTO "aspect" VALUES(74,30,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":false,"showInAssetSummary":false,"hideInAssetSummaryWhenEmpty":false,"showAsAssetBadge":false,"showInColumnsTable":false}');
INSERT INTO "aspect" VALUES(75,31,'propertyDefinition','{"qualifiedName":"datahub_llmops.dimension","displayName":"Dimension","valueType":"urn:li:dataType:datahub.number","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset","urn:li:entityType:datahub.schemaField"],"description":"Number of dimensions of the vector.","immutable":false}');
INSERT INTO "aspect" VALUES(76,31,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":true,"showInAssetSummary":true,"hideInAssetSummaryWhenEmpty":true,"showAsAssetBadge":false,"showInColumnsTable":true}');
INSERT INTO "aspect" VALUES(77,32,'propertyDefinition','{"qualifiedName":"datahub_llmops.embedding_model","displayName":"Embedding model","valueType":"urn:li:dataType:datahub.string","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset","urn:li:entityType:datahub.schemaField","urn:li:entityType:datahub.dataJob"],"description":"Model that made the vectors, as provider/model: declared by a job or recorded by the store.","immutable":false}');
INSERT INTO "aspect" VALUES(78,32,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":true,"showInAssetSummary":true,"hideInAssetSummaryWhenEmpty":true,"showAsAssetBadge":true,"showInColumnsTable":false}');
INSERT INTO "aspect" VALUES(79,33,'propertyDefinition','{"qualifiedName":"datahub_llmops.index_parameters","displayName":"Index parameters","valueType":"urn:li:dataType:datahub.string","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset","urn:li:entityType:datahub.schemaField"],"description":"Parameters of the vector index as name=value, sorted by name, joined by commas.","immutable":false}');
INSERT INTO "aspect" VALUES(80,33,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":false,"showInAssetSummary":false,"hideInAssetSummaryWhenEmpty":false,"showAsAssetBadge":false,"showInColumnsTable":false}');
INSERT INTO "aspect" VALUES(81,34,'propertyDefinition','{"qualifiedName":"datahub_llmops.index_type","displayName":"Index type","valueType":"urn:li:dataType:datahub.string","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset","urn:li:entityType:datahub.schemaField"],"description":"Kind of the vector index: hnsw, ivfflat, flat ...","immutable":false}');
INSERT INTO "aspect" VALUES(82,34,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":true,"showInAssetSummary":true,"hideInAssetSummaryWhenEmpty":true,"showAsAssetBadge":false,"showInColumnsTable":false}');
INSERT INTO "aspect" VALUES(83,35,'propertyDefinition','{"qualifiedName":"datahub_llmops.metric","displayName":"Metric","valueType":"urn:li:dataType:datahub.string","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset","urn:li:entityType:datahub.schemaField"],"description":"Distance metric of the vector index, in the store''s own word.","immutable":false}');
INSERT INTO "aspect" VALUES(84,35,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":true,"showInAssetSummary":true,"hideInAssetSummaryWhenEmpty":true,"showAsAssetBadge":false,"showInColumnsTable":true}');
INSERT INTO "aspect" VALUES(85,36,'propertyDefinition','{"qualifiedName":"datahub_llmops.quantization","displayName":"Quantization","valueType":"urn:li:dataType:datahub.string","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset","urn:li:entityType:datahub.schemaField"],"description":"How the stored vectors are compressed, in the store''s own word.","immutable":false}');
INSERT INTO "aspect" VALUES(86,36,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":true,"showInAssetSummary":false,"hideInAssetSummaryWhenEmpty":false,"showAsAssetBadge":false,"showInColumnsTable":false}');
INSERT INTO "aspect" VALUES(87,37,'propertyDefinition','{"qualifiedName":"datahub_llmops.region","displayName":"Region","valueType":"urn:li:dataType:datahub.string","cardinality":"SINGLE","entityTypes":["urn:li:entityType:datahub.dataset"],"description":"Cloud region, or site, that the index is served from, in the vendor''s own word.","immutable":false}');
INSERT INTO "aspect" VALUES(88,37,'structuredPropertySettings','{"isHidden":false,"showInSearchFilters":true,"showInAssetSummary":true,"hideInAssetSummaryWhenEmpty":true,"showAsAssetBadge":false,"showInColumnsTable":false}');
INSERT INTO "aspect" VALUES(89,38,'containerProperties','{"customProperties":{"schema_version":"embeddings_queue 2, metadb 6, sysdb 10"},"name":"chroma","env":"PROD"}');
INSERT INTO "aspect" VALUES(90,38,'dataPlatformInstance','{"platform":"urn:li:dataPlatform:chroma"}');
INSERT INTO "aspect" VALUES(91,38,'subTypes','{"typeNames":["Server"]}');
INSERT INTO "aspect" VALUES(92,38,'browsePathsV2','{"path":[]}');
INSERT INTO "aspect" VALUES(93,39,'containerProperties','{"customProperties":{},"name":"default_tenant","env":"PROD"}');
INSERT INTO "aspect" VALUES(94,39,'dataPlatformInstance','{"platform":"urn:li:dataPlatform:chroma"}');
INSERT INTO "aspect" VALUES(95,39,'subTypes','{"typeNames":["Tenant"]}');
INSERT INTO "aspect" VALUES(96,39,'container','{"container":"urn:li:container:6e72aedf0c93bcbbb0ce1020e825cbdc"}');
INSERT INTO "aspect" VALUES(97,39,'browsePathsV2','{"path":[{"id":"urn:li:container:6e72aedf0c93bcbbb0ce1020e825cbdc","urn":"urn:li:container:6e72aedf0c93bcbbb0ce1020e825cbdc"}]}');
INSERT INTO "aspect" VALUES(98,40,'containerProperties','{"customProperties":{},"name":"default_database","env":"PROD"}');
INSERT INTO "aspect" VALUES(99,40,'dataPlatformInstance','{"platform":"urn:li:dataPlatform:chroma"}');
INSERT INTO "aspect" VALUES(100,40,'subTypes','{"typeNames":["Database"]}');
INSERT INTO "aspect" VALUES(101,40,'container','{"container":"urn:li:container:a4bc3522679b076c17f344521dfe597f"}');
INSERT INTO "aspect" VALUES(102,40,'browsePathsV2','{"path":[{"id":"urn:li:container:6e72aedf0c93bcbbb0ce1020e825cbdc","urn":"urn:li:container:6e72aedf0c93bcbbb0ce1020e825cbdc"},{"id":"urn:li:container:a4bc3522679b076c17f344521dfe597f","urn":"urn:li:container:a4bc3522679b076c17f344521dfe597f"}]}');
INSERT INTO "aspect" VALUES(103,41,'dataPlatformInstance','{"platform":"urn:li:dataPlatform:chroma"}');
INSERT INTO "aspect" VALUES(104,41,'container','{"container":"urn:li:container:e9f1f40d736e68c10c5caf5ba2712ca2"}');
INSERT INTO "aspect" VALUES(105,41,'subTypes','{"typeNames":["Vector Collection"]}');
INSERT INTO "aspect" VALUES(106,41,'datasetProperties','{"customProperties":{"collection_id":"8f84e1bd-7648-4f69-b5b8-dbb4e149ce4f","ef_construction":"100","max_neighbors":"16","ef_search":"100","batch_size":"100","sync_threshold":"1000","resize_factor":"1.2"},"name":"docs","qualifiedName":"default_database.docs","created":{"time":1795961988000},"lastModified":{"time":1795962015000},"tags":[]}');
INSERT INTO "aspect" VALUES(107,41,'schemaMetadata','{"schemaName":"default_database.docs","platform":"urn:li:dataPlatform:chroma","version":0,"created":{"time":0,"actor":"urn:li:corpuser:unknown"},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"},"hash":"","platformSchema":{"com.linkedin.schema.OtherSchema":{"rawSchema":""}},"fields":[{"fieldPath":"embedding","nullable":false,"type":{"type":{"com.linkedin.schema.ArrayType":{"nestedType":["float"]}}},"nativeDataType":"vector(256)","recursive":false,"isPartOfKey":false},{"fieldPath":"document","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_content_hmac","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_embed_run","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_source_key","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_source_urn","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_text_fields","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"id","nullable":true,"type":{"type":{"com.linkedin.schema.NumberType":{}}},"nativeDataType":"int","recursive":false,"isPartOfKey":false},{"fieldPath":"maintainer","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"module","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"name","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"source","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false}]}');
INSERT INTO "aspect" VALUES(108,41,'structuredProperties','{"properties":[{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.dimension","values":[{"double":256.0}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.metric","values":[{"string":"cosine"}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.index_type","values":[{"string":"hnsw"}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.index_parameters","values":[{"string":"batch_size=100, ef_construction=100, ef_search=100, max_neighbors=16, resize_factor=1.2, sync_threshold=1000"}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.embedding_model","values":[{"string":"openai/text-embedding-3-small"}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.chunking_method","values":[{"string":"recursive"}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.chunk_size","values":[{"double":512.0}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.chunk_overlap","values":[{"double":64.0}]}]}');
INSERT INTO "aspect" VALUES(109,41,'browsePathsV2','{"path":[{"id":"urn:li:container:6e72aedf0c93bcbbb0ce1020e825cbdc","urn":"urn:li:container:6e72aedf0c93bcbbb0ce1020e825cbdc"},{"id":"urn:li:container:a4bc3522679b076c17f344521dfe597f","urn":"urn:li:container:a4bc3522679b076c17f344521dfe597f"},{"id":"urn:li:container:e9f1f40d736e68c10c5caf5ba2712ca2","urn":"urn:li:container:e9f1f40d736e68c10c5caf5ba2712ca2"}]}');
INSERT INTO "aspect" VALUES(110,42,'structuredProperties','{"properties":[{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.dimension","values":[{"double":256.0}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.metric","values":[{"string":"cosine"}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.index_type","values":[{"string":"hnsw"}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.index_parameters","values":[{"string":"batch_size=100, ef_construction=100, ef_search=100, max_neighbors=16, resize_factor=1.2, sync_threshold=1000"}]}]}');
INSERT INTO "aspect" VALUES(111,43,'dataFlowInfo','{"customProperties":{},"name":"knowledge-base","env":"PROD"}');
INSERT INTO "aspect" VALUES(112,44,'dataJobInfo','{"customProperties":{"schedule":"@daily","embedding_model":"openai/text-embedding-3-small","text_columns":"doc","chunking.method":"recursive","chunking.size":"512","chunking.overlap":"64"},"name":"embed-docs","description":"```sql\nselect d.id, d.qualified_name, d.doc, d.module, m.email as maintainer\nfrom main.entry_docs d\njoin main.maintainers m on m.id = d.maintainer_id\n```","type":{"string":"EMBEDDING"},"flowUrn":"urn:li:dataFlow:(airflow,knowledge-base,PROD)","env":"PROD"}');
INSERT INTO "aspect" VALUES(113,44,'subTypes','{"typeNames":["Embedding Job"]}');
INSERT INTO "aspect" VALUES(114,44,'dataJobInputOutput','{"inputDatasets":[],"inputDatasetEdges":[{"destinationUrn":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD)","properties":{"chunks":"6480","found_by":"declared,payload,hook","last_seen":"2026-11-29"}},{"destinationUrn":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD)","properties":{"found_by":"declared"}}],"outputDatasets":[],"outputDatasetEdges":[{"destinationUrn":"urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"}],"inputDatajobEdges":[],"inputDatasetFields":[],"outputDatasetFields":[],"fineGrainedLineages":[{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),doc)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),document)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),doc)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),embedding)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),id)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),id)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),module)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),module)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),qualified_name)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),name)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),maintainer)"],"transformOperation":"NONE","confidenceScore":1.0}]}');
INSERT INTO "aspect" VALUES(115,44,'dataTransformLogic','{"transforms":[{"queryStatement":{"value":"select d.id, d.qualified_name, d.doc, d.module, m.email as maintainer\nfrom main.entry_docs d\njoin main.maintainers m on m.id = d.maintainer_id","language":"SQL"}}]}');
INSERT INTO "aspect" VALUES(116,44,'structuredProperties','{"properties":[{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.embedding_model","values":[{"string":"openai/text-embedding-3-small"}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.chunking_method","values":[{"string":"recursive"}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.chunk_size","values":[{"double":512.0}]},{"propertyUrn":"urn:li:structuredProperty:datahub_llmops.chunk_overlap","values":[{"double":64.0}]}]}');
INSERT INTO "aspect" VALUES(117,44,'ownership','{"owners":[{"owner":"urn:li:corpuser:ada","type":"TECHNICAL_OWNER"}],"ownerTypes":{},"lastModified":{"time":1795962057250,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(118,50,'mlModelKey','{"platform":"urn:li:dataPlatform:openai","name":"text-embedding-3-small","origin":"PROD"}');
INSERT INTO "aspect" VALUES(119,51,'dataPlatformInfo','{"name":"openai","displayName":"openai","type":"OTHERS","datasetNameDelimiter":".","logoUrl":"data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCA2NCA2NCIgd2lkdGg9IjY0IiBoZWlnaHQ9IjY0Ij48cmVjdCB3aWR0aD0iNjQiIGhlaWdodD0iNjQiIHJ4PSIxMiIgZmlsbD0iIzFmMjMyOCIvPjxwYXRoIGQ9Ik0zMiAxMHEzIDE5IDIyIDIyLTE5IDMtMjIgMjItMy0xOS0yMi0yMiAxOS0zIDIyLTIyeiIgZmlsbD0iI2ZmZiIvPjwvc3ZnPgo="}');
INSERT INTO "aspect" VALUES(120,44,'embeddingJobInfo','{"embeddingModel":"openai/text-embedding-3-small","embeddingModelUrn":"urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-small,PROD)","chunkingMethod":"recursive","chunkSize":512,"chunkOverlap":64,"textColumns":"doc","sqlDigest":"sha256:c3f8ca0cf66ecc91ec6bdf4cba4001ea5a76613d514c997e2cd5a104c602f8f0","schedule":"@daily"}');
INSERT INTO "aspect" VALUES(121,41,'vectorIndexInfo','{"engine":"chroma","indexType":"hnsw","vectorFields":1}');
INSERT INTO "aspect" VALUES(122,41,'vectorIndexVectors','{"vectors":[{"name":"embedding","dimension":256,"metric":"cosine","indexType":"hnsw","parameters":"batch_size=100, ef_construction=100, ef_search=100, max_neighbors=16, resize_factor=1.2, sync_threshold=1000","quantization":"","elementType":"","sparse":false,"multivector":false}]}');
INSERT INTO "aspect" VALUES(123,41,'embeddingInfo','{"embeddingModel":"openai/text-embedding-3-small","embeddingModels":["urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-small,PROD)"],"embeddingModelKnownFrom":"declared","chunkingMethod":"recursive","chunkSize":512,"chunkOverlap":64,"chunkingKnownFrom":"declared","textFields":"document","textFieldsKnownFrom":"recorded"}');
INSERT INTO "aspect" VALUES(124,50,'mlModelProperties','{"customProperties":{},"downstreamJobs":["urn:li:dataJob:(urn:li:dataFlow:(airflow,knowledge-base,PROD),embed-docs)"],"name":"text-embedding-3-small","tags":[]}');
INSERT INTO "aspect" VALUES(125,38,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(126,39,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(127,40,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(128,44,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(129,41,'status','{"removed":false}');
INSERT INTO "aspect" VALUES(130,44,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:personal-data","attribution":{"time":1795962057494,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"}}},{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962057494,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962057533,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(131,41,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:personal-data","attribution":{"time":1795962057494,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"}}},{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962057494,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962057534,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(132,10,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962057494,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962057535,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(133,45,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962057494,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962057538,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(134,42,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962057494,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962057538,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(135,49,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:personal-data","attribution":{"time":1795962057494,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"}}}],"auditStamp":{"time":1795962057539,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(136,18,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962057494,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962057543,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(137,52,'dataPlatformInfo','{"name":"langchain","displayName":"LangChain","type":"OTHERS","datasetNameDelimiter":".","logoUrl":"data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCA2NCA2NCIgd2lkdGg9IjY0IiBoZWlnaHQ9IjY0Ij48cmVjdCB3aWR0aD0iNjQiIGhlaWdodD0iNjQiIHJ4PSIxMiIgZmlsbD0iIzFjM2MzYyIvPjxyZWN0IHg9IjkiIHk9IjI1IiB3aWR0aD0iMjciIGhlaWdodD0iMTQiIHJ4PSI3IiBmaWxsPSJub25lIiBzdHJva2U9IiNmZmYiIHN0cm9rZS13aWR0aD0iNSIvPjxyZWN0IHg9IjI4IiB5PSIyNSIgd2lkdGg9IjI3IiBoZWlnaHQ9IjE0IiByeD0iNyIgZmlsbD0ibm9uZSIgc3Ryb2tlPSIjOGNlOTlhIiBzdHJva2Utd2lkdGg9IjUiLz48L3N2Zz4K"}');
INSERT INTO "aspect" VALUES(138,53,'dataFlowInfo','{"customProperties":{},"name":"docs-bot","env":"PROD"}');
INSERT INTO "aspect" VALUES(139,54,'dataJobInfo','{"customProperties":{},"name":"docs-bot","type":{"string":"APPLICATION"},"flowUrn":"urn:li:dataFlow:(langchain,docs-bot,PROD)"}');
INSERT INTO "aspect" VALUES(140,54,'subTypes','{"typeNames":["LLM Application"]}');
INSERT INTO "aspect" VALUES(141,55,'datasetProperties','{"customProperties":{},"name":"docs-bot answers","tags":[]}');
INSERT INTO "aspect" VALUES(142,55,'subTypes','{"typeNames":["Answer Log"]}');
INSERT INTO "aspect" VALUES(143,55,'schemaMetadata','{"schemaName":"docs-bot answers","platform":"urn:li:dataPlatform:langchain","version":0,"created":{"time":0,"actor":"urn:li:corpuser:unknown"},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"},"hash":"","platformSchema":{"com.linkedin.schema.OtherSchema":{"rawSchema":""}},"fields":[{"fieldPath":"answer_id","nullable":true,"description":"Id that `datahub-llmops explain` takes.","type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"status","nullable":true,"description":"ok, error, interrupted.","type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"answer","nullable":true,"description":"Text of the answer, which is not kept here. It may repeat whatever the retrievers returned.","type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false}]}');
INSERT INTO "aspect" VALUES(144,56,'datasetProperties','{"customProperties":{},"name":"VectorStoreRetriever","tags":[]}');
INSERT INTO "aspect" VALUES(145,56,'subTypes','{"typeNames":["Retriever"]}');
INSERT INTO "aspect" VALUES(146,56,'schemaMetadata','{"schemaName":"VectorStoreRetriever","platform":"urn:li:dataPlatform:langchain","version":0,"created":{"time":0,"actor":"urn:li:corpuser:unknown"},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"},"hash":"","platformSchema":{"com.linkedin.schema.OtherSchema":{"rawSchema":""}},"fields":[{"fieldPath":"chunk_id","nullable":true,"description":"Id of the chunk.","type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"score","nullable":true,"description":"Score that the store gave it.","type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"number","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_content_hmac","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_embed_run","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_source_key","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_source_urn","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_text_fields","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"document","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"id","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"int","recursive":false,"isPartOfKey":false},{"fieldPath":"maintainer","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"module","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"name","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"source","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false}]}');
INSERT INTO "aspect" VALUES(147,56,'upstreamLineage','{"upstreams":[{"auditStamp":{"time":0,"actor":"urn:li:corpuser:unknown"},"dataset":"urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)","type":"VIEW","properties":{"found_by":"hook","last_seen":"2026-11-29"}}],"fineGrainedLineages":[{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_content_hmac)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_content_hmac)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_embed_run)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_embed_run)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_source_key)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_source_key)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_source_urn)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_source_urn)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_text_fields)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_text_fields)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),document)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),document)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),id)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),id)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),maintainer)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),maintainer)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),module)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),module)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),name)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),name)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),source)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),source)"],"transformOperation":"NONE","confidenceScore":1.0}]}');
INSERT INTO "aspect" VALUES(148,56,'retrieverInfo','{"searchType":"similarity","k":2,"framework":"langchain","frameworkVersion":"1.8.3","indexNames":"default_database.docs","indexes":["urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"]}');
INSERT INTO "aspect" VALUES(149,74,'dataPlatformInfo','{"name":"llama-index","displayName":"LlamaIndex","type":"OTHERS","datasetNameDelimiter":".","logoUrl":"data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCA2NCA2NCIgd2lkdGg9IjY0IiBoZWlnaHQ9IjY0Ij48cmVjdCB3aWR0aD0iNjQiIGhlaWdodD0iNjQiIHJ4PSIxMiIgZmlsbD0iIzVmM2RjNCIvPjxwYXRoIGQ9Ik0xNCAxMmgyNmwxMCAxMHYzMEgxNHoiIGZpbGw9IiNmZmYiLz48cGF0aCBkPSJNMjEgMjhoMjJNMjEgMzZoMjJNMjEgNDRoMTMiIHN0cm9rZT0iIzVmM2RjNCIgc3Ryb2tlLXdpZHRoPSI0Ii8+PC9zdmc+Cg=="}');
INSERT INTO "aspect" VALUES(150,75,'datasetProperties','{"customProperties":{},"name":"VectorIndexRetriever","tags":[]}');
INSERT INTO "aspect" VALUES(151,75,'subTypes','{"typeNames":["Retriever"]}');
INSERT INTO "aspect" VALUES(152,75,'schemaMetadata','{"schemaName":"VectorIndexRetriever","platform":"urn:li:dataPlatform:llama-index","version":0,"created":{"time":0,"actor":"urn:li:corpuser:unknown"},"lastModified":{"time":0,"actor":"urn:li:corpuser:unknown"},"hash":"","platformSchema":{"com.linkedin.schema.OtherSchema":{"rawSchema":""}},"fields":[{"fieldPath":"chunk_id","nullable":true,"description":"Id of the chunk.","type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"score","nullable":true,"description":"Score that the store gave it.","type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"number","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_content_hmac","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_embed_run","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_source_key","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_source_urn","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"dh_text_fields","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"document","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"id","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"int","recursive":false,"isPartOfKey":false},{"fieldPath":"maintainer","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"module","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"name","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false},{"fieldPath":"source","nullable":true,"type":{"type":{"com.linkedin.schema.StringType":{}}},"nativeDataType":"string","recursive":false,"isPartOfKey":false}]}');
INSERT INTO "aspect" VALUES(153,75,'upstreamLineage','{"upstreams":[{"auditStamp":{"time":0,"actor":"urn:li:corpuser:unknown"},"dataset":"urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)","type":"VIEW","properties":{"found_by":"hook","last_seen":"2026-11-29"}}],"fineGrainedLineages":[{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_content_hmac)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_content_hmac)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_embed_run)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_embed_run)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_source_key)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_source_key)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_source_urn)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_source_urn)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_text_fields)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_text_fields)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),document)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),document)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),id)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),id)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),maintainer)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),maintainer)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),module)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),module)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),name)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),name)"],"transformOperation":"NONE","confidenceScore":1.0},{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),source)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),source)"],"transformOperation":"NONE","confidenceScore":1.0}]}');
INSERT INTO "aspect" VALUES(154,75,'retrieverInfo','{"searchType":"default","k":2,"framework":"llama-index","frameworkVersion":"0.14.25","indexNames":"default_database.docs","indexes":["urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"]}');
INSERT INTO "aspect" VALUES(155,87,'dataPlatformInfo','{"name":"custom","displayName":"custom","type":"OTHERS","datasetNameDelimiter":".","logoUrl":"data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCA2NCA2NCIgd2lkdGg9IjY0IiBoZWlnaHQ9IjY0Ij48cmVjdCB3aWR0aD0iNjQiIGhlaWdodD0iNjQiIHJ4PSIxMiIgZmlsbD0iIzg2OGU5NiIvPjxwYXRoIGQ9Ik0zMiAxMGwxOSAxMXYyMkwzMiA1NCAxMyA0M1YyMXoiIGZpbGw9Im5vbmUiIHN0cm9rZT0iI2ZmZiIgc3Ryb2tlLXdpZHRoPSI0Ii8+PHBhdGggZD0iTTEzIDIxbDE5IDExIDE5LTExTTMyIDMydjIyIiBmaWxsPSJub25lIiBzdHJva2U9IiNmZmYiIHN0cm9rZS13aWR0aD0iNCIvPjwvc3ZnPgo="}');
INSERT INTO "aspect" VALUES(156,88,'datasetProperties','{"customProperties":{},"name":"answer-from-docs.v1","tags":[]}');
INSERT INTO "aspect" VALUES(157,88,'subTypes','{"typeNames":["Prompt"]}');
INSERT INTO "aspect" VALUES(158,88,'promptInfo','{"registry":"custom","promptName":"answer-from-docs","promptVersion":"1","variables":"context_str, query_str","templateDigest":"sha256:4c26a2e9ed471ee4de1939730d9d18e6f2126440b914c5695b7965c852a12efe"}');
INSERT INTO "aspect" VALUES(159,54,'dataJobInputOutput','{"inputDatasets":[],"inputDatasetEdges":[{"destinationUrn":"urn:li:dataset:(urn:li:dataPlatform:custom,answer-from-docs.v1,PROD)","properties":{"found_by":"hook","last_seen":"2026-11-29"}},{"destinationUrn":"urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD)","properties":{"found_by":"hook","last_seen":"2026-11-29"}},{"destinationUrn":"urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD)","properties":{"found_by":"hook","last_seen":"2026-11-29"}}],"outputDatasets":[],"outputDatasetEdges":[{"destinationUrn":"urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.answers,PROD)","properties":{"found_by":"hook","last_seen":"2026-11-29"}}],"inputDatajobs":[],"inputDatajobEdges":[],"inputDatasetFields":[],"outputDatasetFields":[],"fineGrainedLineages":[{"upstreamType":"FIELD_SET","upstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_content_hmac)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_embed_run)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_source_key)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_source_urn)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_text_fields)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),document)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),id)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),maintainer)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),module)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),name)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),source)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_content_hmac)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_embed_run)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_source_key)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_source_urn)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_text_fields)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),document)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),id)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),maintainer)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),module)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),name)","urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),source)"],"downstreamType":"FIELD","downstreams":["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.answers,PROD),answer)"],"transformOperation":"NONE","confidenceScore":1.0}]}');
INSERT INTO "aspect" VALUES(160,54,'llmApplicationInfo','{"framework":"langchain","frameworkVersion":"0.14.25","applicationVersion":"1","promptCount":1,"prompts":"answer-from-docs.v1","retrieverCount":2,"retrievers":"VectorIndexRetriever, VectorStoreRetriever","modelCount":1,"models":"custom/first-passage"}');
INSERT INTO "aspect" VALUES(161,90,'dataProcessInstanceProperties','{"customProperties":{"answers":"4","mean_milliseconds":"541","version":"1","host":"host.example.org"},"name":"docs-bot 1 2026-11-29","type":"BATCH_SCHEDULED","created":{"time":1795962203799,"actor":"urn:li:corpuser:datahub"}}');
INSERT INTO "aspect" VALUES(162,90,'dataProcessInstanceRelationships','{"parentTemplate":"urn:li:dataJob:(urn:li:dataFlow:(langchain,docs-bot,PROD),docs-bot)","upstreamInstances":[]}');
INSERT INTO "aspect" VALUES(163,90,'dataProcessInstanceOutput','{"outputs":[],"outputEdges":[{"destinationUrn":"urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.answers,PROD)"}]}');
INSERT INTO "aspect" VALUES(164,91,'dataProcessInstanceProperties','{"customProperties":{"run":"01a227ad2299f19bdb8304437ed3","added":"6480","updated":"0","skipped":"0"},"name":"embed-docs 2026-11-29","type":"BATCH_SCHEDULED","created":{"time":1795961987738,"actor":"urn:li:corpuser:datahub"}}');
INSERT INTO "aspect" VALUES(165,91,'dataProcessInstanceRelationships','{"parentTemplate":"urn:li:dataJob:(urn:li:dataFlow:(airflow,knowledge-base,PROD),embed-docs)","upstreamInstances":[]}');
INSERT INTO "aspect" VALUES(166,91,'dataProcessInstanceInput','{"inputs":[],"inputEdges":[{"destinationUrn":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD)"}]}');
INSERT INTO "aspect" VALUES(167,91,'dataProcessInstanceOutput','{"outputs":[],"outputEdges":[{"destinationUrn":"urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"}]}');
INSERT INTO "aspect" VALUES(168,92,'mlModelProperties','{"customProperties":{},"downstreamJobs":["urn:li:dataJob:(urn:li:dataFlow:(langchain,docs-bot,PROD),docs-bot)"],"name":"first-passage","tags":[]}');
INSERT INTO "aspect" VALUES(169,54,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:personal-data","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"}}},{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962282580,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(170,56,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:personal-data","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"}}},{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962282593,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(171,55,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:personal-data","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"}}},{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962282594,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(172,75,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:personal-data","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"}}},{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962282594,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(173,67,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962282595,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(174,69,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:personal-data","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"}}}],"auditStamp":{"time":1795962282595,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(175,89,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:personal-data","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"}}},{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962282595,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(176,81,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:public-documentation","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)"}}}],"auditStamp":{"time":1795962282596,"actor":"urn:li:corpuser:__datahub_system"}}');
INSERT INTO "aspect" VALUES(177,83,'glossaryTerms','{"terms":[{"urn":"urn:li:glossaryTerm:personal-data","attribution":{"time":1795962282323,"actor":"urn:li:corpuser:datahub","source":"urn:li:dataHubAction:datahub-llmops","sourceDetail":{"propagated":"true","origin":"urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)"}}}],"auditStamp":{"time":1795962282608,"actor":"urn:li:corpuser:__datahub_system"}}');
CREATE TABLE asset (
    id integer primary key,
    urn text not null unique,
    type text not null,
    parent integer,
    folded text,
    leaf text,
    label text,
    emitted integer not null default 0,
    removed integer not null default 0,
    platform text,
    subtype text,
    name text,
    edited_name text,
    description text,
    edited_description text,
    words text not null default '',
    owners text not null default '',
    terms text not null default '',
    tags text not null default ''
);
INSERT INTO "asset" VALUES(1,'urn:li:glossaryNode:data-protection','glossaryNode',NULL,NULL,'data-protection','data protection',3,0,NULL,NULL,'Data protection',NULL,'How data about people may be used.',NULL,'about be data how may people protection used','urn:li:corpuser:lior','','');
INSERT INTO "asset" VALUES(2,'urn:li:glossaryTerm:personal-data','glossaryTerm',NULL,NULL,'personal-data','personal data',4,0,NULL,NULL,'Personal data',NULL,'Says something about a person who can be identified. Needs a purpose, and is deleted on request.',NULL,'a about and be can data deleted identified is needs on person personal purpose request says something who','urn:li:corpuser:lior','','');
INSERT INTO "asset" VALUES(3,'urn:li:glossaryNode:documentation','glossaryNode',NULL,NULL,'documentation','documentation',3,0,NULL,NULL,'Documentation',NULL,'Texts that are written to be read.',NULL,'are be documentation read texts that to written','urn:li:corpuser:lior','','');
INSERT INTO "asset" VALUES(4,'urn:li:glossaryTerm:public-documentation','glossaryTerm',NULL,NULL,'public-documentation','public documentation',4,0,NULL,NULL,'Public documentation',NULL,'Published already; may be quoted in an answer.',NULL,'already an answer be documentation in may public published quoted','urn:li:corpuser:lior','','');
INSERT INTO "asset" VALUES(5,'urn:li:container:12f95e388b6b09ad91837869710cd581','container',NULL,NULL,'12f95e388b6b09ad91837869710cd581','demo/warehouse.db',5,0,'sqlite','Database','demo/warehouse.db',NULL,NULL,NULL,'12f95e388b6b09ad91837869710cd581 db demo warehouse','','','');
INSERT INTO "asset" VALUES(6,'urn:li:container:64ac3b613188756eed137ac0949ebe3c','container',NULL,NULL,'64ac3b613188756eed137ac0949ebe3c','main',6,0,'sqlite','Schema','main',NULL,NULL,NULL,'64ac3b613188756eed137ac0949ebe3c main','','','');
INSERT INTO "asset" VALUES(7,'urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD)','dataset',NULL,'urn:li:dataset:(urn:li:dataplatform:sqlite,main.entries,prod)','entries','entries',9,0,NULL,'Table','entries',NULL,NULL,'One row for every public definition that has a docstring.','a definition docstring entries every for has main one public row sqlite that','urn:li:corpuser:jonas','urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(8,'urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD)','dataset',NULL,'urn:li:dataset:(urn:li:dataplatform:sqlite,main.maintainers,prod)','maintainers','maintainers',9,0,NULL,'Table','maintainers',NULL,NULL,'Who looks after which part of the library; invented people.','after invented library looks main maintainers of part people sqlite the which who','urn:li:corpuser:hana','urn:li:glossaryTerm:personal-data','');
INSERT INTO "asset" VALUES(9,'urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD)','dataset',NULL,'urn:li:dataset:(urn:li:dataplatform:sqlite,main.modules,prod)','modules','modules',8,0,NULL,'Table','modules',NULL,NULL,'One row for every public module of the standard library.','every for library main module modules of one public row sqlite standard the','urn:li:corpuser:jonas','','');
INSERT INTO "asset" VALUES(10,'urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD)','dataset',NULL,'urn:li:dataset:(urn:li:dataplatform:sqlite,main.entry_docs,prod)','entry_docs','entry_docs',11,0,NULL,'View','entry_docs',NULL,NULL,'What the knowledge base is built from.','base built docs entry from is knowledge main sqlite the what','urn:li:corpuser:ada','urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(11,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),id)','schemaField',7,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(12,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),id)','schemaField',10,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(13,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),qualified_name)','schemaField',7,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(14,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),qualified_name)','schemaField',10,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(15,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),kind)','schemaField',7,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(16,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),kind)','schemaField',10,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(17,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entries,PROD),doc)','schemaField',7,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(18,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),doc)','schemaField',10,NULL,NULL,NULL,1,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(19,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD),name)','schemaField',9,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(20,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),module)','schemaField',10,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(21,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.modules,PROD),maintainer_id)','schemaField',9,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(22,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD),maintainer_id)','schemaField',10,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(23,'urn:li:query:view_c57e21b0597d2d7991853a9e66bea0dad2f36d223b5775c6574ffcb8d0f74aab','query',NULL,NULL,'view_c57e21b0597d2d7991853a9e66bea0dad2f36d223b5775c6574ffcb8d0f74aab',NULL,4,0,'sqlite',NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(24,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),name)','schemaField',8,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:personal-data','');
INSERT INTO "asset" VALUES(25,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,main.maintainers,PROD),email)','schemaField',8,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:personal-data','');
INSERT INTO "asset" VALUES(26,'urn:li:dataPlatform:chroma','dataPlatform',NULL,NULL,'chroma','chroma',1,0,NULL,NULL,'Chroma',NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(27,'urn:li:structuredProperty:datahub_llmops.chunk_overlap','structuredProperty',NULL,NULL,'chunk_overlap','chunk overlap',2,0,NULL,NULL,'Chunk overlap',NULL,'Overlap of neighbouring chunks, in the unit of the splitter.',NULL,'','','','');
INSERT INTO "asset" VALUES(28,'urn:li:structuredProperty:datahub_llmops.chunk_size','structuredProperty',NULL,NULL,'chunk_size','chunk size',2,0,NULL,NULL,'Chunk size',NULL,'Largest size of a chunk, in the unit of the splitter.',NULL,'','','','');
INSERT INTO "asset" VALUES(29,'urn:li:structuredProperty:datahub_llmops.chunking_method','structuredProperty',NULL,NULL,'chunking_method','chunking',2,0,NULL,NULL,'Chunking',NULL,'How documents are split before they are embedded.',NULL,'','','','');
INSERT INTO "asset" VALUES(30,'urn:li:structuredProperty:datahub_llmops.count_is_estimate','structuredProperty',NULL,NULL,'count_is_estimate','count is an estimate',2,0,NULL,NULL,'Count is an estimate',NULL,'Whether the row count of the profile is the store''s estimate, not a count.',NULL,'','','','');
INSERT INTO "asset" VALUES(31,'urn:li:structuredProperty:datahub_llmops.dimension','structuredProperty',NULL,NULL,'dimension','dimension',2,0,NULL,NULL,'Dimension',NULL,'Number of dimensions of the vector.',NULL,'','','','');
INSERT INTO "asset" VALUES(32,'urn:li:structuredProperty:datahub_llmops.embedding_model','structuredProperty',NULL,NULL,'embedding_model','embedding model',2,0,NULL,NULL,'Embedding model',NULL,'Model that made the vectors, as provider/model: declared by a job or recorded by the store.',NULL,'','','','');
INSERT INTO "asset" VALUES(33,'urn:li:structuredProperty:datahub_llmops.index_parameters','structuredProperty',NULL,NULL,'index_parameters','index parameters',2,0,NULL,NULL,'Index parameters',NULL,'Parameters of the vector index as name=value, sorted by name, joined by commas.',NULL,'','','','');
INSERT INTO "asset" VALUES(34,'urn:li:structuredProperty:datahub_llmops.index_type','structuredProperty',NULL,NULL,'index_type','index type',2,0,NULL,NULL,'Index type',NULL,'Kind of the vector index: hnsw, ivfflat, flat ...',NULL,'','','','');
INSERT INTO "asset" VALUES(35,'urn:li:structuredProperty:datahub_llmops.metric','structuredProperty',NULL,NULL,'metric','metric',2,0,NULL,NULL,'Metric',NULL,'Distance metric of the vector index, in the store''s own word.',NULL,'','','','');
INSERT INTO "asset" VALUES(36,'urn:li:structuredProperty:datahub_llmops.quantization','structuredProperty',NULL,NULL,'quantization','quantization',2,0,NULL,NULL,'Quantization',NULL,'How the stored vectors are compressed, in the store''s own word.',NULL,'','','','');
INSERT INTO "asset" VALUES(37,'urn:li:structuredProperty:datahub_llmops.region','structuredProperty',NULL,NULL,'region','region',2,0,NULL,NULL,'Region',NULL,'Cloud region, or site, that the index is served from, in the vendor''s own word.',NULL,'','','','');
INSERT INTO "asset" VALUES(38,'urn:li:container:6e72aedf0c93bcbbb0ce1020e825cbdc','container',NULL,NULL,'6e72aedf0c93bcbbb0ce1020e825cbdc','chroma',5,0,'chroma','Server','chroma',NULL,NULL,NULL,'6e72aedf0c93bcbbb0ce1020e825cbdc chroma','','','');
INSERT INTO "asset" VALUES(39,'urn:li:container:a4bc3522679b076c17f344521dfe597f','container',NULL,NULL,'a4bc3522679b076c17f344521dfe597f','default_tenant',6,0,'chroma','Tenant','default_tenant',NULL,NULL,NULL,'a4bc3522679b076c17f344521dfe597f default tenant','','','');
INSERT INTO "asset" VALUES(40,'urn:li:container:e9f1f40d736e68c10c5caf5ba2712ca2','container',NULL,NULL,'e9f1f40d736e68c10c5caf5ba2712ca2','default_database',6,0,'chroma','Database','default_database',NULL,NULL,NULL,'database default e9f1f40d736e68c10c5caf5ba2712ca2','','','');
INSERT INTO "asset" VALUES(41,'urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)','dataset',NULL,'urn:li:dataset:(urn:li:dataplatform:chroma,default_database.docs,prod)','docs','docs',12,0,'chroma','Vector Collection','docs',NULL,NULL,NULL,'chroma database default docs','','urn:li:glossaryTerm:personal-data
urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(42,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),embedding)','schemaField',41,NULL,NULL,NULL,2,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(43,'urn:li:dataFlow:(airflow,knowledge-base,PROD)','dataFlow',NULL,NULL,'knowledge-base','knowledge-base',1,0,NULL,NULL,'knowledge-base',NULL,NULL,NULL,'airflow base knowledge','','','');
INSERT INTO "asset" VALUES(44,'urn:li:dataJob:(urn:li:dataFlow:(airflow,knowledge-base,PROD),embed-docs)','dataJob',NULL,NULL,'embed-docs','embed-docs',9,0,NULL,'Embedding Job','embed-docs',NULL,'```sql
select d.id, d.qualified_name, d.doc, d.module, m.email as maintainer
from main.entry_docs d
join main.maintainers m on m.id = d.maintainer_id
```',NULL,'airflow as d doc docs email embed entry from id join m main maintainer maintainers module name on qualified select sql','urn:li:corpuser:ada','urn:li:glossaryTerm:personal-data
urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(45,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),document)','schemaField',41,NULL,NULL,NULL,1,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(46,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),id)','schemaField',41,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(47,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),module)','schemaField',41,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(48,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),name)','schemaField',41,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(49,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),maintainer)','schemaField',41,NULL,NULL,NULL,1,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:personal-data','');
INSERT INTO "asset" VALUES(50,'urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-small,PROD)','mlModel',NULL,NULL,'text-embedding-3-small','text-embedding-3-small',2,0,NULL,NULL,'text-embedding-3-small',NULL,NULL,NULL,'3 embedding openai small text','','','');
INSERT INTO "asset" VALUES(51,'urn:li:dataPlatform:openai','dataPlatform',NULL,NULL,'openai','openai',1,0,NULL,NULL,'openai',NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(52,'urn:li:dataPlatform:langchain','dataPlatform',NULL,NULL,'langchain','langchain',1,0,NULL,NULL,'LangChain',NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(53,'urn:li:dataFlow:(langchain,docs-bot,PROD)','dataFlow',NULL,NULL,'docs-bot','docs-bot',1,0,NULL,NULL,'docs-bot',NULL,NULL,NULL,'bot docs langchain','','','');
INSERT INTO "asset" VALUES(54,'urn:li:dataJob:(urn:li:dataFlow:(langchain,docs-bot,PROD),docs-bot)','dataJob',NULL,NULL,'docs-bot','docs-bot',5,0,NULL,'LLM Application','docs-bot',NULL,NULL,NULL,'bot docs langchain','','urn:li:glossaryTerm:personal-data
urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(55,'urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.answers,PROD)','dataset',NULL,'urn:li:dataset:(urn:li:dataplatform:langchain,docs-bot.answers,prod)','answers','docs-bot answers',4,0,NULL,'Answer Log','docs-bot answers',NULL,NULL,NULL,'answers bot docs langchain','','urn:li:glossaryTerm:personal-data
urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(56,'urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD)','dataset',NULL,'urn:li:dataset:(urn:li:dataplatform:langchain,docs-bot.vectorstoreretriever,prod)','vectorstoreretriever','vectorstoreretriever',6,0,NULL,'Retriever','VectorStoreRetriever',NULL,NULL,NULL,'bot docs langchain retriever store vector vectorstoreretriever','','urn:li:glossaryTerm:personal-data
urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(57,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_content_hmac)','schemaField',41,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(58,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_content_hmac)','schemaField',56,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(59,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_embed_run)','schemaField',41,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(60,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_embed_run)','schemaField',56,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(61,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_source_key)','schemaField',41,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(62,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_source_key)','schemaField',56,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(63,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_source_urn)','schemaField',41,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(64,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_source_urn)','schemaField',56,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(65,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),dh_text_fields)','schemaField',41,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(66,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),dh_text_fields)','schemaField',56,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(67,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),document)','schemaField',56,NULL,NULL,NULL,1,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(68,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),id)','schemaField',56,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(69,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),maintainer)','schemaField',56,NULL,NULL,NULL,1,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:personal-data','');
INSERT INTO "asset" VALUES(70,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),module)','schemaField',56,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(71,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),name)','schemaField',56,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(72,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD),source)','schemaField',41,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(73,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD),source)','schemaField',56,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(74,'urn:li:dataPlatform:llama-index','dataPlatform',NULL,NULL,'llama-index','llamaindex',1,0,NULL,NULL,'LlamaIndex',NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(75,'urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD)','dataset',NULL,'urn:li:dataset:(urn:li:dataplatform:llama-index,docs-bot.vectorindexretriever,prod)','vectorindexretriever','vectorindexretriever',6,0,NULL,'Retriever','VectorIndexRetriever',NULL,NULL,NULL,'bot docs index llama retriever vector vectorindexretriever','','urn:li:glossaryTerm:personal-data
urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(76,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_content_hmac)','schemaField',75,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(77,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_embed_run)','schemaField',75,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(78,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_source_key)','schemaField',75,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(79,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_source_urn)','schemaField',75,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(80,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),dh_text_fields)','schemaField',75,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(81,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),document)','schemaField',75,NULL,NULL,NULL,1,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(82,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),id)','schemaField',75,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(83,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),maintainer)','schemaField',75,NULL,NULL,NULL,1,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:personal-data','');
INSERT INTO "asset" VALUES(84,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),module)','schemaField',75,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(85,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),name)','schemaField',75,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(86,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:llama-index,docs-bot.VectorIndexRetriever,PROD),source)','schemaField',75,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(87,'urn:li:dataPlatform:custom','dataPlatform',NULL,NULL,'custom','custom',1,0,NULL,NULL,'custom',NULL,NULL,NULL,'','','','');
INSERT INTO "asset" VALUES(88,'urn:li:dataset:(urn:li:dataPlatform:custom,answer-from-docs.v1,PROD)','dataset',NULL,'urn:li:dataset:(urn:li:dataplatform:custom,answer-from-docs.v1,prod)','v1','answer-from-docs.v1',3,0,NULL,'Prompt','answer-from-docs.v1',NULL,NULL,NULL,'answer custom docs from v1','','','');
INSERT INTO "asset" VALUES(89,'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.answers,PROD),answer)','schemaField',55,NULL,NULL,NULL,1,0,NULL,NULL,NULL,NULL,NULL,NULL,'','','urn:li:glossaryTerm:personal-data
urn:li:glossaryTerm:public-documentation','');
INSERT INTO "asset" VALUES(90,'urn:li:dataProcessInstance:3737481f9bac2bb511c34d6c5e3dbbff','dataProcessInstance',NULL,NULL,'3737481f9bac2bb511c34d6c5e3dbbff','docs-bot 1 2026-11-29',3,0,NULL,NULL,'docs-bot 1 2026-11-29',NULL,NULL,NULL,'1 11 2026 29 3737481f9bac2bb511c34d6c5e3dbbff bot docs','','','');
INSERT INTO "asset" VALUES(91,'urn:li:dataProcessInstance:27e028031edad012ecc3ec2b0eff59be','dataProcessInstance',NULL,NULL,'27e028031edad012ecc3ec2b0eff59be','embed-docs 2026-11-29',4,0,NULL,NULL,'embed-docs 2026-11-29',NULL,NULL,NULL,'11 2026 27e028031edad012ecc3ec2b0eff59be 29 docs embed','','','');
INSERT INTO "asset" VALUES(92,'urn:li:mlModel:(urn:li:dataPlatform:custom,first-passage,PROD)','mlModel',NULL,NULL,'first-passage','first-passage',1,0,NULL,NULL,'first-passage',NULL,NULL,NULL,'custom first passage','','','');
CREATE TABLE checkpoint (
    pipeline text not null,
    job text not null,
    body text not null,
    primary key (pipeline, job)
);
INSERT INTO "checkpoint" VALUES('demo-warehouse','sqlite_stale_entity_removal','{"timestampMillis":1795962054418,"partitionSpec":{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"},"pipelineName":"demo-warehouse","platformInstanceId":"","config":"","state":{"formatVersion":"1.0","serde":"base85-bz2-json","payload":"LRx4!F+o`-Q&~`pEO`I`zMp_lWq<Gl0MH7*C%!5$0MfvfL7)IMXbk`WB_e7+N$EfX^-P9CO*8>ih*9V?dYK5ulhn{?+DQ$QwNn^6q4h(EG71+40M}@DXTHZ#VMc~!u5~k48zof=sX0bboA;z`+mK{nA-qEnygUNKfY=uov4wKk7$JsP1cA^cO2MgxV0Pl%Kz~`R>+ww&e!4|5`8(<>Ln;ZFo-aee=ww{hRD_~fCr2)R&!Y0i>rIggs={qn-cYQWWJtJ?HQ7JOLq>V|7ji{7P>@iIEO`"},"runId":"sqlalchemy-2026_11_29-14_20_41-h6qrn6"}');
INSERT INTO "checkpoint" VALUES('chroma-docs','chroma_stale_entity_removal','{"timestampMillis":1795962057191,"partitionSpec":{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"},"pipelineName":"chroma-docs","platformInstanceId":"","config":"","state":{"formatVersion":"1.0","serde":"base85-bz2-json","payload":"LRx4!F+o`-Q&}72zb60ypC5owXMgYo5YP(0@1BY<0Loz0$U;1m8k#*cMrvYcXlN-ONs!T_KmY&$45FGDsp>X?888HT1bP$&U1KYCJEj9^kogIK9x>graw_sF4fL+7Nis3;7c5Tc&=rMAI}D^w*#QQOMNih3j1DQ$jcfD5b-_x{WiDakK@fTf&c;<eiUP$NF<3YteCcZb!@Wvo7#%H*^29l*B=G})y(vbeBp2A7<3D8Q(kE+q*<BGsGgYSPoV;pGODCWUyW<IyM=#%mlG5b7e=u@kQwNn5LD&H9Z-~!V(gVc>rKmy#2YvV#az!{$kQ?N`Cj"},"runId":"llm-chroma-2026_11_29-14_20_54-96g79u"}');
INSERT INTO "checkpoint" VALUES('chroma-docs','chroma_assigned_facts','{"timestampMillis":1795962057192,"partitionSpec":{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"},"pipelineName":"chroma-docs","platformInstanceId":"","config":"","state":{"formatVersion":"1.0","serde":"base85-bz2-json","payload":"LRx4!F+o`-Q&|<PyrBRA0-u0TWdINb0MH7*@85bb0TuwmBTY2O!en5Y0|QM&15E*-000q5Pa<HNG*2mrFioiNM1d1WIOmbrEHIbK(&1YNs!<>X5J6xRVoX%eSheQgxv6|O_J2nuj%}S?89iPt&B2k|_=qqGt{zUEPQgIQNxj1mu;ORY-uX=|o8Td&$jz&OY%n9ct=Su-%ObSL)%NW@@+_{_i53UF;aiL9P&}7I-1eJ-Iz`QmyMEbdxCGr9y!a4vz={<v$}MeW;h!4Xi0IpN8n@pwBKf#2?sI8zDP|k&10xEY!fHr{Ho^H6H%@_jt1=@R!v`-{KBQCpUC9*TLO@os@`L"},"runId":"llm-chroma-2026_11_29-14_20_54-96g79u"}');
INSERT INTO "checkpoint" VALUES('runs','llm-runs_watermark','{"timestampMillis":1795962281877,"partitionSpec":{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"},"pipelineName":"runs","platformInstanceId":"","config":"","state":{"formatVersion":"1.0","serde":"base85-bz2-json","payload":"LRx4!F+o`-Q(4#W@elw2MVWwD2anJ`uidI30Av+Xk5kkeQ%y8t4AeHDlqfXN000J&w3|k-mFm$Y9#v+VY!kT_EDhI`er?Iw?V2wQ9+6^_u(Kwx_^QN_h0R?YkvwG_k5wE&6oqBwh{JSuk@G|GcO+AV2@QV_5dZ"},"runId":"llm-runs-2026_11_29-14_24_29-jnzsm3"}');
CREATE TABLE column_edge (
    owner integer not null,
    aspect text not null,
    up integer not null,
    down integer not null,
    up_asset integer not null,
    down_asset integer not null,
    primary key (owner, aspect, up, down)
) without rowid;
INSERT INTO "column_edge" VALUES(10,'upstreamLineage',11,12,7,10);
INSERT INTO "column_edge" VALUES(10,'upstreamLineage',13,14,7,10);
INSERT INTO "column_edge" VALUES(10,'upstreamLineage',15,16,7,10);
INSERT INTO "column_edge" VALUES(10,'upstreamLineage',17,18,7,10);
INSERT INTO "column_edge" VALUES(10,'upstreamLineage',19,20,9,10);
INSERT INTO "column_edge" VALUES(10,'upstreamLineage',21,22,9,10);
INSERT INTO "column_edge" VALUES(44,'dataJobInputOutput',12,46,10,41);
INSERT INTO "column_edge" VALUES(44,'dataJobInputOutput',14,48,10,41);
INSERT INTO "column_edge" VALUES(44,'dataJobInputOutput',18,42,10,41);
INSERT INTO "column_edge" VALUES(44,'dataJobInputOutput',18,45,10,41);
INSERT INTO "column_edge" VALUES(44,'dataJobInputOutput',20,47,10,41);
INSERT INTO "column_edge" VALUES(44,'dataJobInputOutput',25,49,8,41);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',58,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',60,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',62,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',64,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',66,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',67,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',68,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',69,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',70,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',71,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',73,89,56,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',76,89,75,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',77,89,75,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',78,89,75,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',79,89,75,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',80,89,75,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',81,89,75,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',82,89,75,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',83,89,75,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',84,89,75,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',85,89,75,55);
INSERT INTO "column_edge" VALUES(54,'dataJobInputOutput',86,89,75,55);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',45,67,41,56);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',46,68,41,56);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',47,70,41,56);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',48,71,41,56);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',49,69,41,56);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',57,58,41,56);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',59,60,41,56);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',61,62,41,56);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',63,64,41,56);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',65,66,41,56);
INSERT INTO "column_edge" VALUES(56,'upstreamLineage',72,73,41,56);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',45,81,41,75);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',46,82,41,75);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',47,84,41,75);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',48,85,41,75);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',49,83,41,75);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',57,76,41,75);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',59,77,41,75);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',61,78,41,75);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',63,79,41,75);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',65,80,41,75);
INSERT INTO "column_edge" VALUES(75,'upstreamLineage',72,86,41,75);
CREATE TABLE edge (
    owner integer not null,
    aspect text not null,
    up integer not null,
    down integer not null,
    found_by text not null default '',
    primary key (owner, aspect, up, down)
) without rowid;
INSERT INTO "edge" VALUES(10,'upstreamLineage',7,10,'');
INSERT INTO "edge" VALUES(10,'upstreamLineage',9,10,'');
INSERT INTO "edge" VALUES(41,'embeddingInfo',50,41,'');
INSERT INTO "edge" VALUES(44,'dataJobInputOutput',8,44,'declared');
INSERT INTO "edge" VALUES(44,'dataJobInputOutput',10,44,'declared,payload,hook');
INSERT INTO "edge" VALUES(44,'dataJobInputOutput',44,41,'');
INSERT INTO "edge" VALUES(50,'mlModelProperties',50,44,'');
INSERT INTO "edge" VALUES(54,'dataJobInputOutput',54,55,'hook');
INSERT INTO "edge" VALUES(54,'dataJobInputOutput',56,54,'hook');
INSERT INTO "edge" VALUES(54,'dataJobInputOutput',75,54,'hook');
INSERT INTO "edge" VALUES(54,'dataJobInputOutput',88,54,'hook');
INSERT INTO "edge" VALUES(56,'upstreamLineage',41,56,'hook');
INSERT INTO "edge" VALUES(75,'upstreamLineage',41,75,'hook');
INSERT INTO "edge" VALUES(90,'dataProcessInstanceOutput',90,55,'');
INSERT INTO "edge" VALUES(91,'dataProcessInstanceInput',10,91,'');
INSERT INTO "edge" VALUES(91,'dataProcessInstanceOutput',91,41,'');
INSERT INTO "edge" VALUES(92,'mlModelProperties',92,54,'');
CREATE TABLE label (
    owner integer not null,
    aspect text not null,
    kind text not null,
    target integer not null,
    holder integer not null,
    urn text not null,
    primary key (owner, aspect, kind, target, urn)
) without rowid;
INSERT INTO "label" VALUES(7,'editableSchemaMetadata','term',17,7,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(8,'editableSchemaMetadata','term',24,8,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(8,'editableSchemaMetadata','term',25,8,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(10,'glossaryTerms','term',10,10,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(18,'glossaryTerms','term',18,10,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(41,'glossaryTerms','term',41,41,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(41,'glossaryTerms','term',41,41,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(42,'glossaryTerms','term',42,41,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(45,'glossaryTerms','term',45,41,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(49,'glossaryTerms','term',49,41,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(44,'glossaryTerms','term',44,44,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(44,'glossaryTerms','term',44,44,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(54,'glossaryTerms','term',54,54,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(54,'glossaryTerms','term',54,54,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(55,'glossaryTerms','term',55,55,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(55,'glossaryTerms','term',55,55,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(89,'glossaryTerms','term',89,55,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(89,'glossaryTerms','term',89,55,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(56,'glossaryTerms','term',56,56,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(56,'glossaryTerms','term',56,56,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(67,'glossaryTerms','term',67,56,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(69,'glossaryTerms','term',69,56,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(75,'glossaryTerms','term',75,75,'urn:li:glossaryTerm:personal-data');
INSERT INTO "label" VALUES(75,'glossaryTerms','term',75,75,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(81,'glossaryTerms','term',81,75,'urn:li:glossaryTerm:public-documentation');
INSERT INTO "label" VALUES(83,'glossaryTerms','term',83,75,'urn:li:glossaryTerm:personal-data');
CREATE TABLE series (
    id integer primary key,
    asset integer not null,
    name text not null,
    partition text not null,
    at integer not null,
    granularity text not null,
    message text not null,
    body text not null,
    unique (asset, name, partition, at, granularity, message)
);
INSERT INTO "series" VALUES(1,41,'datasetProfile','{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"}',1795962055757,'null','datahub-llmops','{"timestampMillis":1795962055757,"partitionSpec":{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"},"messageId":"datahub-llmops","rowCount":6480,"columnCount":12,"sizeInBytes":7949764}');
INSERT INTO "series" VALUES(2,41,'operation','{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"}',1795962015000,'null','','{"timestampMillis":1795962015000,"partitionSpec":{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"},"operationType":"UPDATE","lastUpdatedTimestamp":1795962015000}');
INSERT INTO "series" VALUES(3,41,'datasetUsageStatistics','{"partition":"host=host.example.org","type":"PARTITION"}',1795910400000,'{"unit":"DAY","multiple":1}','','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org","type":"PARTITION"},"totalSqlQueries":4}');
INSERT INTO "series" VALUES(4,41,'llmUsage','{"partition":"host=host.example.org"}',1795910400000,'{"unit":"DAY","multiple":1}','host=host.example.org','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org"},"messageId":"host=host.example.org","calls":4,"errors":0,"latencyMillis":1847.0,"latencyHistogram":[{"le":"10","calls":3},{"le":"2560","calls":1}],"distinctChunks":6}');
INSERT INTO "series" VALUES(5,88,'datasetUsageStatistics','{"partition":"host=host.example.org","type":"PARTITION"}',1795910400000,'{"unit":"DAY","multiple":1}','','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org","type":"PARTITION"},"totalSqlQueries":4}');
INSERT INTO "series" VALUES(6,88,'llmUsage','{"partition":"host=host.example.org"}',1795910400000,'{"unit":"DAY","multiple":1}','host=host.example.org','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org"},"messageId":"host=host.example.org","calls":4}');
INSERT INTO "series" VALUES(7,56,'datasetUsageStatistics','{"partition":"host=host.example.org","type":"PARTITION"}',1795910400000,'{"unit":"DAY","multiple":1}','','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org","type":"PARTITION"},"totalSqlQueries":3}');
INSERT INTO "series" VALUES(8,56,'llmUsage','{"partition":"host=host.example.org"}',1795910400000,'{"unit":"DAY","multiple":1}','host=host.example.org','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org"},"messageId":"host=host.example.org","calls":3,"errors":0,"latencyMillis":1843.0,"latencyHistogram":[{"le":"10","calls":2},{"le":"2560","calls":1}],"distinctChunks":6}');
INSERT INTO "series" VALUES(9,55,'datasetUsageStatistics','{"partition":"host=host.example.org","type":"PARTITION"}',1795910400000,'{"unit":"DAY","multiple":1}','','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org","type":"PARTITION"},"totalSqlQueries":4}');
INSERT INTO "series" VALUES(10,75,'datasetUsageStatistics','{"partition":"host=host.example.org","type":"PARTITION"}',1795910400000,'{"unit":"DAY","multiple":1}','','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org","type":"PARTITION"},"totalSqlQueries":1}');
INSERT INTO "series" VALUES(11,75,'llmUsage','{"partition":"host=host.example.org"}',1795910400000,'{"unit":"DAY","multiple":1}','host=host.example.org','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org"},"messageId":"host=host.example.org","calls":1,"errors":0,"latencyMillis":4.0,"latencyHistogram":[{"le":"10","calls":1}],"distinctChunks":2}');
INSERT INTO "series" VALUES(12,54,'llmUsage','{"partition":"host=host.example.org"}',1795910400000,'{"unit":"DAY","multiple":1}','host=host.example.org','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org"},"messageId":"host=host.example.org","calls":4,"errors":0,"latencyMillis":2163.0,"latencyHistogram":[{"le":"10","calls":3},{"le":"2560","calls":1}]}');
INSERT INTO "series" VALUES(13,54,'llmUsage','{"partition":"host=host.example.org/version=1"}',1795910400000,'{"unit":"DAY","multiple":1}','host=host.example.org/version=1','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org/version=1"},"messageId":"host=host.example.org/version=1","calls":4,"errors":0,"latencyMillis":2163.0,"latencyHistogram":[{"le":"10","calls":3},{"le":"2560","calls":1}]}');
INSERT INTO "series" VALUES(14,90,'dataProcessInstanceRunEvent','{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"}',1795962203799,'null','','{"timestampMillis":1795962203799,"partitionSpec":{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"},"status":"STARTED"}');
INSERT INTO "series" VALUES(15,90,'dataProcessInstanceRunEvent','{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"}',1795962209664,'null','','{"timestampMillis":1795962209664,"partitionSpec":{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"},"status":"COMPLETE","result":{"type":"SUCCESS","nativeResultType":"hooks"},"durationMillis":5865}');
INSERT INTO "series" VALUES(16,91,'dataProcessInstanceRunEvent','{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"}',1795961987738,'null','','{"timestampMillis":1795961987738,"partitionSpec":{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"},"status":"STARTED"}');
INSERT INTO "series" VALUES(17,91,'dataProcessInstanceRunEvent','{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"}',1795962017590,'null','','{"timestampMillis":1795962017590,"partitionSpec":{"partition":"FULL_TABLE_SNAPSHOT","type":"FULL_TABLE"},"status":"COMPLETE","result":{"type":"SUCCESS","nativeResultType":"hooks"},"durationMillis":29852}');
INSERT INTO "series" VALUES(18,92,'llmUsage','{"partition":"host=host.example.org"}',1795910400000,'{"unit":"DAY","multiple":1}','host=host.example.org','{"timestampMillis":1795910400000,"eventGranularity":{"unit":"DAY","multiple":1},"partitionSpec":{"partition":"host=host.example.org"},"messageId":"host=host.example.org","calls":4,"errors":0,"latencyMillis":3.0,"latencyHistogram":[{"le":"10","calls":4}]}');
CREATE TABLE word (
    word text not null,
    asset integer not null,
    primary key (word, asset)
) without rowid;
INSERT INTO "word" VALUES('1',90);
INSERT INTO "word" VALUES('11',90);
INSERT INTO "word" VALUES('11',91);
INSERT INTO "word" VALUES('12f95e388b6b09ad91837869710cd581',5);
INSERT INTO "word" VALUES('2026',90);
INSERT INTO "word" VALUES('2026',91);
INSERT INTO "word" VALUES('27e028031edad012ecc3ec2b0eff59be',91);
INSERT INTO "word" VALUES('29',90);
INSERT INTO "word" VALUES('29',91);
INSERT INTO "word" VALUES('3',50);
INSERT INTO "word" VALUES('3737481f9bac2bb511c34d6c5e3dbbff',90);
INSERT INTO "word" VALUES('64ac3b613188756eed137ac0949ebe3c',6);
INSERT INTO "word" VALUES('6e72aedf0c93bcbbb0ce1020e825cbdc',38);
INSERT INTO "word" VALUES('a',2);
INSERT INTO "word" VALUES('a',7);
INSERT INTO "word" VALUES('a4bc3522679b076c17f344521dfe597f',39);
INSERT INTO "word" VALUES('about',1);
INSERT INTO "word" VALUES('about',2);
INSERT INTO "word" VALUES('after',8);
INSERT INTO "word" VALUES('airflow',43);
INSERT INTO "word" VALUES('airflow',44);
INSERT INTO "word" VALUES('already',4);
INSERT INTO "word" VALUES('an',4);
INSERT INTO "word" VALUES('and',2);
INSERT INTO "word" VALUES('answer',4);
INSERT INTO "word" VALUES('answer',88);
INSERT INTO "word" VALUES('answers',55);
INSERT INTO "word" VALUES('are',3);
INSERT INTO "word" VALUES('as',44);
INSERT INTO "word" VALUES('base',10);
INSERT INTO "word" VALUES('base',43);
INSERT INTO "word" VALUES('be',1);
INSERT INTO "word" VALUES('be',2);
INSERT INTO "word" VALUES('be',3);
INSERT INTO "word" VALUES('be',4);
INSERT INTO "word" VALUES('bot',53);
INSERT INTO "word" VALUES('bot',54);
INSERT INTO "word" VALUES('bot',55);
INSERT INTO "word" VALUES('bot',56);
INSERT INTO "word" VALUES('bot',75);
INSERT INTO "word" VALUES('bot',90);
INSERT INTO "word" VALUES('built',10);
INSERT INTO "word" VALUES('can',2);
INSERT INTO "word" VALUES('chroma',38);
INSERT INTO "word" VALUES('chroma',41);
INSERT INTO "word" VALUES('custom',88);
INSERT INTO "word" VALUES('custom',92);
INSERT INTO "word" VALUES('d',44);
INSERT INTO "word" VALUES('data',1);
INSERT INTO "word" VALUES('data',2);
INSERT INTO "word" VALUES('database',40);
INSERT INTO "word" VALUES('database',41);
INSERT INTO "word" VALUES('db',5);
INSERT INTO "word" VALUES('default',39);
INSERT INTO "word" VALUES('default',40);
INSERT INTO "word" VALUES('default',41);
INSERT INTO "word" VALUES('definition',7);
INSERT INTO "word" VALUES('deleted',2);
INSERT INTO "word" VALUES('demo',5);
INSERT INTO "word" VALUES('doc',44);
INSERT INTO "word" VALUES('docs',10);
INSERT INTO "word" VALUES('docs',41);
INSERT INTO "word" VALUES('docs',44);
INSERT INTO "word" VALUES('docs',53);
INSERT INTO "word" VALUES('docs',54);
INSERT INTO "word" VALUES('docs',55);
INSERT INTO "word" VALUES('docs',56);
INSERT INTO "word" VALUES('docs',75);
INSERT INTO "word" VALUES('docs',88);
INSERT INTO "word" VALUES('docs',90);
INSERT INTO "word" VALUES('docs',91);
INSERT INTO "word" VALUES('docstring',7);
INSERT INTO "word" VALUES('documentation',3);
INSERT INTO "word" VALUES('documentation',4);
INSERT INTO "word" VALUES('e9f1f40d736e68c10c5caf5ba2712ca2',40);
INSERT INTO "word" VALUES('email',44);
INSERT INTO "word" VALUES('embed',44);
INSERT INTO "word" VALUES('embed',91);
INSERT INTO "word" VALUES('embedding',50);
INSERT INTO "word" VALUES('entries',7);
INSERT INTO "word" VALUES('entry',10);
INSERT INTO "word" VALUES('entry',44);
INSERT INTO "word" VALUES('every',7);
INSERT INTO "word" VALUES('every',9);
INSERT INTO "word" VALUES('first',92);
INSERT INTO "word" VALUES('for',7);
INSERT INTO "word" VALUES('for',9);
INSERT INTO "word" VALUES('from',10);
INSERT INTO "word" VALUES('from',44);
INSERT INTO "word" VALUES('from',88);
INSERT INTO "word" VALUES('has',7);
INSERT INTO "word" VALUES('how',1);
INSERT INTO "word" VALUES('id',44);
INSERT INTO "word" VALUES('identified',2);
INSERT INTO "word" VALUES('in',4);
INSERT INTO "word" VALUES('index',75);
INSERT INTO "word" VALUES('invented',8);
INSERT INTO "word" VALUES('is',2);
INSERT INTO "word" VALUES('is',10);
INSERT INTO "word" VALUES('join',44);
INSERT INTO "word" VALUES('knowledge',10);
INSERT INTO "word" VALUES('knowledge',43);
INSERT INTO "word" VALUES('langchain',53);
INSERT INTO "word" VALUES('langchain',54);
INSERT INTO "word" VALUES('langchain',55);
INSERT INTO "word" VALUES('langchain',56);
INSERT INTO "word" VALUES('library',8);
INSERT INTO "word" VALUES('library',9);
INSERT INTO "word" VALUES('llama',75);
INSERT INTO "word" VALUES('looks',8);
INSERT INTO "word" VALUES('m',44);
INSERT INTO "word" VALUES('main',6);
INSERT INTO "word" VALUES('main',7);
INSERT INTO "word" VALUES('main',8);
INSERT INTO "word" VALUES('main',9);
INSERT INTO "word" VALUES('main',10);
INSERT INTO "word" VALUES('main',44);
INSERT INTO "word" VALUES('maintainer',44);
INSERT INTO "word" VALUES('maintainers',8);
INSERT INTO "word" VALUES('maintainers',44);
INSERT INTO "word" VALUES('may',1);
INSERT INTO "word" VALUES('may',4);
INSERT INTO "word" VALUES('module',9);
INSERT INTO "word" VALUES('module',44);
INSERT INTO "word" VALUES('modules',9);
INSERT INTO "word" VALUES('name',44);
INSERT INTO "word" VALUES('needs',2);
INSERT INTO "word" VALUES('of',8);
INSERT INTO "word" VALUES('of',9);
INSERT INTO "word" VALUES('on',2);
INSERT INTO "word" VALUES('on',44);
INSERT INTO "word" VALUES('one',7);
INSERT INTO "word" VALUES('one',9);
INSERT INTO "word" VALUES('openai',50);
INSERT INTO "word" VALUES('part',8);
INSERT INTO "word" VALUES('passage',92);
INSERT INTO "word" VALUES('people',1);
INSERT INTO "word" VALUES('people',8);
INSERT INTO "word" VALUES('person',2);
INSERT INTO "word" VALUES('personal',2);
INSERT INTO "word" VALUES('protection',1);
INSERT INTO "word" VALUES('public',4);
INSERT INTO "word" VALUES('public',7);
INSERT INTO "word" VALUES('public',9);
INSERT INTO "word" VALUES('published',4);
INSERT INTO "word" VALUES('purpose',2);
INSERT INTO "word" VALUES('qualified',44);
INSERT INTO "word" VALUES('quoted',4);
INSERT INTO "word" VALUES('read',3);
INSERT INTO "word" VALUES('request',2);
INSERT INTO "word" VALUES('retriever',56);
INSERT INTO "word" VALUES('retriever',75);
INSERT INTO "word" VALUES('row',7);
INSERT INTO "word" VALUES('row',9);
INSERT INTO "word" VALUES('says',2);
INSERT INTO "word" VALUES('select',44);
INSERT INTO "word" VALUES('small',50);
INSERT INTO "word" VALUES('something',2);
INSERT INTO "word" VALUES('sql',44);
INSERT INTO "word" VALUES('sqlite',7);
INSERT INTO "word" VALUES('sqlite',8);
INSERT INTO "word" VALUES('sqlite',9);
INSERT INTO "word" VALUES('sqlite',10);
INSERT INTO "word" VALUES('standard',9);
INSERT INTO "word" VALUES('store',56);
INSERT INTO "word" VALUES('tenant',39);
INSERT INTO "word" VALUES('text',50);
INSERT INTO "word" VALUES('texts',3);
INSERT INTO "word" VALUES('that',3);
INSERT INTO "word" VALUES('that',7);
INSERT INTO "word" VALUES('the',8);
INSERT INTO "word" VALUES('the',9);
INSERT INTO "word" VALUES('the',10);
INSERT INTO "word" VALUES('to',3);
INSERT INTO "word" VALUES('used',1);
INSERT INTO "word" VALUES('v1',88);
INSERT INTO "word" VALUES('vector',56);
INSERT INTO "word" VALUES('vector',75);
INSERT INTO "word" VALUES('vectorindexretriever',75);
INSERT INTO "word" VALUES('vectorstoreretriever',56);
INSERT INTO "word" VALUES('warehouse',5);
INSERT INTO "word" VALUES('what',10);
INSERT INTO "word" VALUES('which',8);
INSERT INTO "word" VALUES('who',2);
INSERT INTO "word" VALUES('who',8);
INSERT INTO "word" VALUES('written',3);
CREATE INDEX asset_folded on asset (folded) where folded is not null;
CREATE INDEX asset_leaf on asset (leaf) where leaf is not null;
CREATE INDEX asset_label on asset (label) where label is not null;
CREATE INDEX asset_labelled on asset (type) where terms <> '' or tags <> '';
CREATE INDEX edge_up on edge (up, down);
CREATE INDEX edge_down on edge (down, up);
CREATE INDEX column_edge_up on column_edge (up);
CREATE INDEX column_edge_down on column_edge (down);
CREATE INDEX label_holder on label (holder);
CREATE INDEX label_target on label (target);
COMMIT;
