package org.datahubllmops.schemas;

import com.linkedin.data.schema.DataSchema;
import com.linkedin.data.schema.RecordDataSchema;
import com.linkedin.data.template.DataTemplateUtil;
import com.linkedin.data.template.RecordTemplate;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.reflections.Reflections;
import org.reflections.ReflectionsException;
import org.reflections.util.ConfigurationBuilder;
import org.yaml.snakeyaml.Yaml;

/** A model plugin opened as DataHub's server opens it: unpacked, its jar in a class loader of its own, scanned. */
final class Plugin implements AutoCloseable {

  /** The packages that the server scans, and no others. */
  private static final List<String> NAMESPACES = List.of("com", "org", "io", "datahub");

  /** How far to look for classes. */
  enum Scan {
    /** As the server: over its whole class path, minus what it knows without the plugin. */
    SERVER,
    /** Over the plugin's jar alone: the same classes, in a fraction of the time. */
    JAR
  }

  final Path folder;
  final String name;
  final String version;
  final Map<String, Object> registry;
  final List<Path> jars;
  final Map<String, List<RecordDataSchema>> aspects = new TreeMap<>();
  private final URLClassLoader loader;

  private Plugin(Path folder, Scan scan) throws IOException {
    this.folder = folder;
    this.name = folder.getParent().getFileName().toString();
    this.version = folder.getFileName().toString();
    try (InputStream yaml = Files.newInputStream(folder.resolve("entity-registry.yaml"))) {
      this.registry = new Yaml().load(yaml);
    }
    this.jars = find(folder, ".jar");
    List<URL> urls = new ArrayList<>();
    for (Path jar : jars) {
      urls.add(jar.toUri().toURL());
    }
    ClassLoader server = Plugin.class.getClassLoader();
    this.loader = new URLClassLoader(urls.toArray(new URL[0]), server);
    if (scan == Scan.SERVER) {
      Set<Class<? extends RecordTemplate>> found = records(loader);
      // As the server: what it knows already is taken away, so a core class in the jar counts for nothing.
      found.removeAll(records(server));
      add(found);
    } else {
      add(new Reflections(new ConfigurationBuilder().setUrls(urls).addClassLoader(loader))
          .getSubTypesOf(RecordTemplate.class));
    }
  }

  /** Unpacks the archive below {@code scratch} and opens the one version in it. */
  static Plugin open(Path zip, Path scratch, Scan scan) throws IOException {
    try (ZipInputStream in = new ZipInputStream(Files.newInputStream(zip))) {
      for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
        Path path = scratch.resolve(entry.getName());
        if (entry.isDirectory()) {
          Files.createDirectories(path);
        } else {
          Files.createDirectories(path.getParent());
          Files.copy(in, path);
        }
      }
    }
    List<Path> registries = find(scratch, "entity-registry.yaml");
    if (registries.size() != 1 || registries.get(0).getNameCount() - scratch.getNameCount() != 3) {
      throw new IOException("not <name>/<version>/entity-registry.yaml, once: " + registries);
    }
    return new Plugin(registries.get(0).getParent(), scan);
  }

  static List<Path> find(Path root, String ending) throws IOException {
    try (Stream<Path> paths = Files.walk(root)) {
      return paths.filter(path -> path.toString().endsWith(ending)).sorted().toList();
    }
  }

  private void add(Set<Class<? extends RecordTemplate>> classes) {
    for (Class<? extends RecordTemplate> type : classes) {
      DataSchema schema = DataTemplateUtil.getSchema(type);
      Object annotation = schema.getProperties().get("Aspect");
      if (annotation instanceof Map<?, ?> map && map.get("name") != null) {
        aspects.computeIfAbsent(map.get("name").toString(), key -> new ArrayList<>()).add((RecordDataSchema) schema);
      }
    }
  }

  private static Set<Class<? extends RecordTemplate>> records(ClassLoader loader) {
    Set<Class<? extends RecordTemplate>> found = new HashSet<>();
    for (String namespace : NAMESPACES) {
      try {
        found.addAll(new Reflections(namespace, loader).getSubTypesOf(RecordTemplate.class));
      } catch (ReflectionsException empty) {
        // "SubTypesScanner was not configured": nothing in this package.
        continue;
      }
    }
    return found;
  }

  /** Entity type to the aspects that the registry gives it. */
  Map<String, List<String>> entities() {
    Map<String, List<String>> found = new TreeMap<>();
    if (registry.get("entities") instanceof List<?> entities) {
      for (Object item : entities) {
        Map<?, ?> entity = (Map<?, ?>) item;
        List<String> names = new ArrayList<>();
        ((List<?>) entity.get("aspects")).forEach(aspect -> names.add(aspect.toString()));
        found.put(entity.get("name").toString(), names);
      }
    }
    return found;
  }

  @Override
  public void close() throws IOException {
    loader.close();
  }
}
