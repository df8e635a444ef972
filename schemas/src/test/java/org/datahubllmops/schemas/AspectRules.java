package org.datahubllmops.schemas;

import com.linkedin.data.schema.ArrayDataSchema;
import com.linkedin.data.schema.DataSchema;
import com.linkedin.data.schema.NamedDataSchema;
import com.linkedin.data.schema.PrimitiveDataSchema;
import com.linkedin.data.schema.RecordDataSchema;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The rules for one aspect: what its annotations say, what its fields are, how a tab would show it. */
final class AspectRules {

  private static final String NAMESPACE = "org.datahubllmops.metadata";
  private static final Set<String> FIELD_TYPES =
      Set.of("KEYWORD", "TEXT", "TEXT_PARTIAL", "BOOLEAN", "COUNT", "DOUBLE", "DATETIME", "URN");
  private static final Set<String> SEARCHABLE = Set.of(
      "fieldName", "fieldType", "addToFilters", "filterNameOverride", "queryByDefault", "enableAutocomplete",
      "boostScore");
  private static final Set<String> RELATIONSHIP = Set.of("name", "entityTypes", "isLineage", "isUpstream");
  private static final Set<String> KNOWN = Set.of(
      "Searchable", "Relationship", "TimeseriesField", "LlmopsProperty", "LlmopsValues", "LlmopsJoined");

  private final RecordDataSchema schema;
  private final List<String> problems = new ArrayList<>();

  AspectRules(RecordDataSchema schema) {
    this.schema = schema;
  }

  List<String> problems() {
    Map<?, ?> aspect = (Map<?, ?>) schema.getProperties().get("Aspect");
    name(aspect);
    documented(schema);
    Annotations.fields(schema, this::field);
    if ("timeseries".equals(aspect.get("type"))) {
      timeSeries(aspect);
    } else {
      tab(aspect);
    }
    return problems;
  }

  private void report(String rule, String message) {
    problems.add("[" + rule + "] " + schema.getName() + ": " + message);
  }

  private void name(Map<?, ?> aspect) {
    String record = schema.getName();
    String expected = Character.toLowerCase(record.charAt(0)) + record.substring(1);
    if (!expected.equals(aspect.get("name"))) {
      report("aspect name", "@Aspect is named " + aspect.get("name") + " instead of " + expected);
    }
  }

  private void documented(NamedDataSchema record) {
    if (record.getDoc().isBlank()) {
      report("doc", record.getName() + " has no doc");
    }
    if (!record.getNamespace().equals(NAMESPACE)) {
      report("namespace", record.getFullName() + " is not in " + NAMESPACE);
    }
  }

  private void field(String path, RecordDataSchema.Field field) {
    if (field.getDoc() == null || field.getDoc().isBlank()) {
      report("doc", path + " has no doc");
    }
    if (field.getOptional() && field.getDefault() != null) {
      report("default", path + " is optional with a default: a None would come back as the default");
    }
    DataSchema element = Annotations.element(field.getType());
    if (element instanceof RecordDataSchema record) {
      documented(record);
    } else if (element.getType() == DataSchema.Type.ENUM) {
      report("enum", path + " is an enum: an added symbol is refused by the server");
    } else if (!(element instanceof PrimitiveDataSchema)) {
      report("type", path + " is a " + element.getType() + ": plain scalars, records and lists of them only");
    }
    annotations(path, field, element);
  }

  private void annotations(String path, RecordDataSchema.Field field, DataSchema element) {
    for (String name : field.getProperties().keySet()) {
      if (!KNOWN.contains(name)) {
        report("annotation", path + " has @" + name + ", which is not known");
      }
    }
    if (field.getProperties().containsKey("Searchable")) {
      searchable(path, Annotations.of(field, "Searchable"), element);
    }
    if (field.getProperties().containsKey("Relationship")) {
      relationship(path, field, Annotations.of(field, "Relationship"), element);
    }
    if (field.getProperties().get("TimeseriesField") instanceof Map<?, ?> map && !map.isEmpty()) {
      report("annotation", path + ": @TimeseriesField takes nothing here");
    }
    if (field.getProperties().get("LlmopsValues") instanceof List<?> values
        ? values.isEmpty() || element.getType() != DataSchema.Type.STRING
        : field.getProperties().containsKey("LlmopsValues")) {
      report("annotation", path + ": @LlmopsValues takes a list of texts, on a text");
    }
  }

  private void searchable(String path, Map<?, ?> annotation, DataSchema element) {
    if (annotation == null || !SEARCHABLE.containsAll(annotation.keySet())) {
      report("annotation", path + ": @Searchable is " + annotation);
      return;
    }
    if (!FIELD_TYPES.contains(String.valueOf(annotation.get("fieldType")))
        || !(annotation.get("fieldName") instanceof String)) {
      report("annotation", path + ": @Searchable needs a fieldName and a fieldType that the server knows");
    }
    if (!element.isPrimitive()) {
      report("annotation", path + ": @Searchable stands on scalars only");
    }
  }

  private void relationship(String path, RecordDataSchema.Field field, Map<?, ?> annotation, DataSchema element) {
    if (element.getType() != DataSchema.Type.STRING) {
      report("urn", path + ": @Relationship stands on a plain string, or a list of them");
    }
    boolean list = field.getType() instanceof ArrayDataSchema;
    if (list != ((Map<?, ?>) field.getProperties().get("Relationship")).containsKey("/*")) {
      report("annotation", path + ": @Relationship is written under \"/*\" on a list, and only there");
    }
    if (annotation == null || !RELATIONSHIP.containsAll(annotation.keySet())
        || !(annotation.get("name") instanceof String)
        || !(annotation.get("entityTypes") instanceof List<?> types) || types.isEmpty()) {
      report("annotation", path + ": @Relationship is " + annotation);
    }
  }

  private void tab(Map<?, ?> aspect) {
    if (!(aspect.get("renderSpec") instanceof Map<?, ?> render) || !Boolean.TRUE.equals(aspect.get("autoRender"))) {
      report("render", "no autoRender with a renderSpec");
      return;
    }
    if (!(render.get("key") instanceof String) || !(render.get("displayName") instanceof String)) {
      report("render", "renderSpec needs a key and a displayName: the server reads the key unconditionally");
    }
    if ("tabular".equals(render.get("displayType"))) {
      table(String.valueOf(render.get("key")));
    } else if ("properties".equals(render.get("displayType"))) {
      flat();
    } else {
      report("render", "displayType is " + render.get("displayType"));
    }
  }

  private void flat() {
    for (RecordDataSchema.Field field : schema.getFields()) {
      if (Annotations.element(field.getType()) instanceof RecordDataSchema) {
        report("shape", field.getName() + " is not flat: the properties tab would show a blank cell");
      } else if (field.getType() instanceof ArrayDataSchema) {
        Object beside = field.getProperties().get("LlmopsJoined");
        RecordDataSchema.Field joined = beside == null ? null : schema.getField(beside.toString());
        if (joined == null || joined.getType().getType() != DataSchema.Type.STRING) {
          report("shape", field.getName() + " is a list: @LlmopsJoined has to name the text that shows it");
        }
      }
    }
  }

  private void table(String key) {
    List<RecordDataSchema.Field> fields = schema.getFields();
    if (fields.size() != 1 || !(fields.get(0).getType() instanceof ArrayDataSchema array)
        || !(array.getItems() instanceof RecordDataSchema row)) {
      report("shape", "a tabular aspect is exactly one list of records");
      return;
    }
    if (!fields.get(0).getName().equals(key) || fields.get(0).getOptional()) {
      report("shape", "the key of renderSpec is not the list, or the list is optional");
    }
    long optional = row.getFields().stream().filter(RecordDataSchema.Field::getOptional).count();
    if (optional > 1) {
      report("shape", row.getName() + " has " + optional + " optional columns: with one, some row has every column");
    }
    row.getFields().stream().filter(column -> !column.getType().isPrimitive()).forEach(
        column -> report("shape", row.getName() + "." + column.getName() + " is not flat"));
  }

  private void timeSeries(Map<?, ?> aspect) {
    if (aspect.containsKey("autoRender") || aspect.containsKey("renderSpec")) {
      report("render", "a time series has no tab");
    }
    RecordDataSchema.Field time = schema.getField("timestampMillis");
    if (time == null || time.getOptional() || time.getType().getType() != DataSchema.Type.LONG) {
      report("time series", "no required long timestampMillis");
    }
    Set<String> inside = new HashSet<>();
    Annotations.fields(schema, (path, field) -> {
      if (path.contains(".") && field.getProperties().containsKey("TimeseriesField")) {
        inside.add(path);
      }
    });
    if (!inside.isEmpty()) {
      report("time series", inside + ": @TimeseriesField inside a record needs a collection");
    }
  }
}
