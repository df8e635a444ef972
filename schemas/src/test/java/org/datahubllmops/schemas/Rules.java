package org.datahubllmops.schemas;

import com.linkedin.data.schema.RecordDataSchema;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import javassist.bytecode.ClassFile;

/** Every rule that a model plugin has to keep; each problem starts with the name of its rule in brackets. */
final class Rules {

  static final String REGISTRY = "datahub-llmops";
  private static final String PACKAGE = "org/datahubllmops/metadata/";
  /** What a server has at hand, under every version: the JDK and Pegasus' data templates. */
  private static final List<String> PROVIDED =
      List.of("java.", "com.linkedin.data.", "org.datahubllmops.metadata.", "[");

  private final Plugin plugin;
  private final List<String> problems = new ArrayList<>();
  private final Set<String> datahub;

  private Rules(Plugin plugin) throws IOException {
    this.plugin = plugin;
    this.datahub = datahubNames();
  }

  /** Everything that is wrong with the archive, empty when it keeps all rules. */
  static List<String> problems(Path zip, Path scratch, String version, Plugin.Scan scan)
      throws IOException {
    try (Plugin plugin = Plugin.open(zip, scratch, scan)) {
      Rules rules = new Rules(plugin);
      rules.layout(version);
      rules.jar();
      rules.registry();
      for (List<RecordDataSchema> schemas : plugin.aspects.values()) {
        for (RecordDataSchema schema : schemas) {
          rules.problems.addAll(new AspectRules(schema).problems());
        }
      }
      rules.names();
      return rules.problems;
    }
  }

  static Set<String> datahubNames() throws IOException {
    Set<String> names = new HashSet<>();
    try (InputStream in = Rules.class.getResourceAsStream("/datahub-names.txt");
        BufferedReader reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
      reader.lines().filter(line -> !line.startsWith("#")).forEach(names::add);
    }
    return names;
  }

  private void report(String rule, String message) {
    problems.add("[" + rule + "] " + message);
  }

  private void layout(String version) {
    if (!plugin.name.equals(REGISTRY) || !plugin.version.equals(version)) {
      report("layout", "folder is " + plugin.name + "/" + plugin.version);
    }
    if (plugin.jars.size() != 1 || !plugin.jars.get(0).getParent().equals(plugin.folder.resolve("libs"))) {
      report("layout", "not one jar in libs: " + plugin.jars);
    }
  }

  private void jar() throws IOException {
    for (Path path : plugin.jars) {
      try (JarFile jar = new JarFile(path.toFile())) {
        if (jar.getEntry(PACKAGE) == null || !jar.getEntry(PACKAGE).isDirectory()) {
          report("directories", "no entry " + PACKAGE + ": Reflections would find no class");
        }
        for (JarEntry entry : jar.stream().toList()) {
          if (entry.getName().endsWith(".class")) {
            if (!entry.getName().startsWith(PACKAGE)) {
              report("dependency", "a class of somebody else: " + entry.getName());
            }
            references(jar, entry);
          }
        }
      }
    }
  }

  private void references(JarFile jar, JarEntry entry) throws IOException {
    try (DataInputStream in = new DataInputStream(jar.getInputStream(entry))) {
      for (String used : new ClassFile(in).getConstPool().getClassNames()) {
        String name = used.replace('/', '.');
        if (PROVIDED.stream().noneMatch(name::startsWith)) {
          report("reference", entry.getName() + " needs " + name + ", which a server need not have");
        }
      }
    }
  }

  private void registry() {
    if (!plugin.registry.keySet().equals(Set.of("id", "entities"))) {
      report("registry", "top-level keys are " + plugin.registry.keySet());
    }
    for (Object item : (List<?>) plugin.registry.get("entities")) {
      if (!((Map<?, ?>) item).keySet().equals(Set.of("name", "aspects"))) {
        report("registry", "an entity has the keys " + ((Map<?, ?>) item).keySet() + ": no entity types of our own");
      }
    }
    Set<String> listed = new HashSet<>();
    plugin.entities().forEach((entity, aspects) -> {
      for (String aspect : aspects) {
        if (!listed.add(aspect + " " + entity)) {
          report("registry", entity + " lists " + aspect + " twice");
        }
        int classes = plugin.aspects.getOrDefault(aspect, List.of()).size();
        if (classes != 1) {
          report("class", aspect + " has " + classes + " classes instead of one");
        }
      }
    });
    for (String aspect : plugin.aspects.keySet()) {
      if (listed.stream().noneMatch(line -> line.startsWith(aspect + " "))) {
        report("class", aspect + " has a class and stands in no entity");
      }
    }
  }

  private void names() {
    for (String aspect : plugin.aspects.keySet()) {
      if (datahub.contains("aspect " + aspect)) {
        report("core aspect", aspect + " is an aspect of DataHub");
      }
    }
    plugin.entities().forEach((entity, aspects) -> {
      Map<String, String> taken = new HashMap<>();
      for (String aspect : aspects) {
        for (RecordDataSchema schema : plugin.aspects.getOrDefault(aspect, List.of())) {
          for (String name : Annotations.searchNames(schema)) {
            if (datahub.contains("search " + entity + " " + name)) {
              report("search name", name + " of " + aspect + " is a search field of DataHub on " + entity);
            }
            String other = taken.put(name, aspect);
            if (other != null) {
              report("search name", name + " of " + aspect + " and of " + other + " meet on " + entity);
            }
          }
        }
      }
    });
    plugin.aspects.forEach((aspect, schemas) -> {
      Set<String> edges = new HashSet<>();
      for (Annotations.Relationship edge : Annotations.relationships(schemas.get(0))) {
        if (datahub.contains("relationship " + edge.name())) {
          report("relationship name", edge.name() + " of " + aspect + " means something else in DataHub");
        }
        for (String target : edge.targets()) {
          if (!edges.add(edge.name() + " " + target)) {
            report("relationship twice", aspect + " has " + edge.name() + " to " + target + " in two fields");
          }
        }
      }
    });
  }
}
