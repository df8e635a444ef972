package org.datahubllmops.schemas;

import com.linkedin.data.schema.ArrayDataSchema;
import com.linkedin.data.schema.DataSchema;
import com.linkedin.data.schema.RecordDataSchema;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/** Fields and annotations of a schema, records inside it included. */
final class Annotations {

  /** One {@code @Relationship}, {@code targets} being its entity types. */
  record Relationship(String name, List<String> targets) {}

  private Annotations() {}

  /** Calls {@code visit} with the path of every field. */
  static void fields(RecordDataSchema schema, BiConsumer<String, RecordDataSchema.Field> visit) {
    fields("", schema, visit);
  }

  private static void fields(
      String prefix, RecordDataSchema schema, BiConsumer<String, RecordDataSchema.Field> visit) {
    for (RecordDataSchema.Field field : schema.getFields()) {
      String path = prefix + field.getName();
      visit.accept(path, field);
      DataSchema type = element(field.getType());
      if (type instanceof RecordDataSchema record) {
        fields(path + ".", record, visit);
      }
    }
  }

  /** What a list holds, itself for anything else. */
  static DataSchema element(DataSchema type) {
    return type instanceof ArrayDataSchema array ? array.getItems() : type;
  }

  /** The annotation of a field, the one of its items where it is a list; {@code null} without one. */
  static Map<?, ?> of(RecordDataSchema.Field field, String name) {
    Object value = field.getProperties().get(name);
    if (!(value instanceof Map<?, ?> map)) {
      return null;
    }
    return field.getType() instanceof ArrayDataSchema && map.get("/*") instanceof Map<?, ?> inner ? inner : map;
  }

  static List<String> searchNames(RecordDataSchema schema) {
    List<String> names = new ArrayList<>();
    fields(schema, (path, field) -> {
      Map<?, ?> annotation = of(field, "Searchable");
      if (annotation != null) {
        Object name = annotation.get("fieldName");
        names.add(name == null ? field.getName() : name.toString());
      }
    });
    return names;
  }

  static List<Relationship> relationships(RecordDataSchema schema) {
    List<Relationship> found = new ArrayList<>();
    fields(schema, (path, field) -> {
      Map<?, ?> annotation = of(field, "Relationship");
      if (annotation != null && annotation.get("entityTypes") instanceof List<?> types) {
        found.add(new Relationship(
            String.valueOf(annotation.get("name")), types.stream().map(Object::toString).toList()));
      }
    });
    return found;
  }
}
