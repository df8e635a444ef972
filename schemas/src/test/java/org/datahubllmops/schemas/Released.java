package org.datahubllmops.schemas;

import com.linkedin.data.schema.DataSchema;
import com.linkedin.data.schema.NamedDataSchema;
import com.linkedin.data.schema.RecordDataSchema;
import com.linkedin.data.schema.compatibility.CompatibilityChecker;
import com.linkedin.data.schema.compatibility.CompatibilityOptions;
import com.linkedin.data.schema.compatibility.CompatibilityResult;
import com.linkedin.data.schema.resolver.MultiFormatDataSchemaResolver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/** Compares schemas with the ones that were released before them, as the server does and where it does not look. */
final class Released {

  /** What an index, a graph or a stored row depends on: a server takes a change of these without a word. */
  private static final List<String> BINDING = List.of("Searchable", "Relationship", "TimeseriesField", "LlmopsProperty");

  private Released() {}

  /** Aspect name to schema, of all PDL below a folder. */
  static Map<String, RecordDataSchema> read(Path pdl) throws IOException {
    MultiFormatDataSchemaResolver resolver = MultiFormatDataSchemaResolver.withBuiltinFormats(pdl.toString());
    Map<String, RecordDataSchema> aspects = new TreeMap<>();
    for (Path file : Plugin.find(pdl, ".pdl")) {
      String path = pdl.relativize(file).toString();
      String name = path.substring(0, path.length() - ".pdl".length()).replace('/', '.');
      StringBuilder errors = new StringBuilder();
      NamedDataSchema schema = resolver.findDataSchema(name, errors);
      if (schema == null) {
        throw new IOException(file + ": " + errors);
      }
      if (schema.getProperties().get("Aspect") instanceof Map<?, ?> aspect) {
        aspects.put(String.valueOf(aspect.get("name")), (RecordDataSchema) schema);
      }
    }
    return aspects;
  }

  /** Why {@code today} cannot follow {@code before}, empty when it can. */
  static List<String> problems(Path before, Path today) throws IOException {
    List<String> problems = new ArrayList<>();
    Map<String, RecordDataSchema> current = read(today);
    for (Map.Entry<String, RecordDataSchema> released : read(before).entrySet()) {
      RecordDataSchema now = current.get(released.getKey());
      if (now == null) {
        problems.add("[removed] " + released.getKey());
      } else {
        compatible(released.getKey(), released.getValue(), now, problems);
        annotations(released.getKey(), released.getValue(), now, problems);
      }
    }
    return problems;
  }

  private static void compatible(
      String aspect, RecordDataSchema before, RecordDataSchema now, List<String> problems) {
    // With the options that the server uses when a second version of a plugin arrives.
    CompatibilityResult result = CompatibilityChecker.checkCompatibility(before, now, new CompatibilityOptions());
    result.getMessages().stream()
        .filter(message -> message.isError())
        .forEach(message -> problems.add("[incompatible] " + aspect + ": " + message));
  }

  private static void annotations(
      String aspect, RecordDataSchema before, RecordDataSchema now, List<String> problems) {
    Map<?, ?> old = (Map<?, ?>) before.getProperties().get("Aspect");
    Map<?, ?> recent = (Map<?, ?>) now.getProperties().get("Aspect");
    if (!Objects.equals(old.get("type"), recent.get("type"))) {
      problems.add("[annotation] " + aspect + ": @Aspect changes its type");
    }
    Map<String, RecordDataSchema.Field> fields = new TreeMap<>();
    Annotations.fields(now, fields::put);
    Annotations.fields(before, (path, field) -> {
      RecordDataSchema.Field other = fields.get(path);
      if (other == null) {
        return;
      }
      for (String name : BINDING) {
        Object was = field.getProperties().get(name);
        if (was == null && name.equals("LlmopsProperty")) {
          continue; // A structured property more: nothing that is stored depends on it.
        }
        if (!Objects.equals(was, other.getProperties().get(name))) {
          problems.add("[annotation] " + aspect + "." + path + ": @" + name + " changes");
        }
      }
      if (!Objects.equals(field.getDefault(), other.getDefault())) {
        problems.add("[default] " + aspect + "." + path + " changes");
      }
    });
  }

  /** Whether two folders hold the same schemas, their docs and annotations included. */
  static List<String> differences(Path before, Path today) throws IOException {
    List<String> found = new ArrayList<>();
    Map<String, String> left = texts(before);
    Map<String, String> right = texts(today);
    left.forEach((name, text) -> {
      if (!text.equals(right.get(name))) {
        found.add(name);
      }
    });
    right.keySet().stream().filter(name -> !left.containsKey(name)).forEach(found::add);
    return found;
  }

  private static Map<String, String> texts(Path folder) throws IOException {
    Map<String, String> texts = new TreeMap<>();
    for (Path file : Plugin.find(folder, ".pdl")) {
      texts.put(folder.relativize(file).toString(), Files.readString(file));
    }
    return texts;
  }
}
