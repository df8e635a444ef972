package org.datahubllmops.schemas;

import com.linkedin.pegasus.generator.PegasusDataTemplateGenerator;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.tools.ToolProvider;

/** Builds a plugin from PDL in memory, to be broken in one way at a time. */
final class PluginZip {

  private final Map<String, String> pdl = new LinkedHashMap<>();
  private final Map<String, byte[]> extra = new LinkedHashMap<>();
  private String registry =
      "id: datahub-llmops\nentities:\n  - name: dataset\n    aspects: [thing]\n";
  private String folder = "datahub-llmops/0.0.1";
  private boolean directories = true;

  /** One small plugin that keeps all rules. */
  static PluginZip good() {
    return new PluginZip().pdl("Thing", thing("Thing", "thing", "/** A name. */ title: string"));
  }

  /** The text of an aspect with the given fields. */
  static String thing(String record, String aspect, String fields) {
    return aspect(record, "{\"name\": \"" + aspect + "\", \"autoRender\": true, \"renderSpec\": "
        + "{\"displayType\": \"properties\", \"displayName\": \"T\", \"key\": \"k\"}}", fields);
  }

  static String aspect(String record, String annotation, String fields) {
    return "namespace org.datahubllmops.metadata\n/** A thing. */\n@Aspect = " + annotation + "\nrecord " + record
        + " {\n" + fields + "\n}\n";
  }

  PluginZip fields(String fields) {
    return pdl("Thing", thing("Thing", "thing", fields));
  }

  PluginZip pdl(String name, String text) {
    pdl.put(name, text);
    return this;
  }

  PluginZip registry(String text) {
    registry = text;
    return this;
  }

  PluginZip folder(String name) {
    folder = name;
    return this;
  }

  PluginZip withoutDirectories() {
    directories = false;
    return this;
  }

  PluginZip entry(String name, byte[] content) {
    extra.put(name, content);
    return this;
  }

  Path build(Path scratch) throws IOException {
    Path sources = Files.createDirectories(scratch.resolve("pdl"));
    for (Map.Entry<String, String> file : pdl.entrySet()) {
      String namespace = file.getValue().lines().findFirst().orElseThrow().substring("namespace ".length());
      Path home = Files.createDirectories(sources.resolve(namespace.replace('.', '/')));
      Files.writeString(home.resolve(file.getKey() + ".pdl"), file.getValue());
    }
    Path java = Files.createDirectories(scratch.resolve("java"));
    generate(sources, java);
    Path classes = Files.createDirectories(scratch.resolve("classes"));
    compile(java, classes);
    Path jar = scratch.resolve("plugin.jar");
    pack(classes, jar);
    Path zip = scratch.resolve("plugin.zip");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
      put(out, folder + "/entity-registry.yaml", registry.getBytes(StandardCharsets.UTF_8));
      put(out, folder + "/libs/plugin.jar", Files.readAllBytes(jar));
    }
    return zip;
  }

  static void generate(Path sources, Path java) throws IOException {
    PegasusDataTemplateGenerator.run(
        sources.toString(), null, null, true, true, java.toString(), new String[] {sources.toString()});
  }

  private static void compile(Path java, Path classes) throws IOException {
    List<String> arguments = new ArrayList<>(
        List.of("-proc:none", "-nowarn", "-d", classes.toString(), "-cp", System.getProperty("java.class.path")));
    Plugin.find(java, ".java").forEach(file -> arguments.add(file.toString()));
    if (ToolProvider.getSystemJavaCompiler().run(null, null, null, arguments.toArray(new String[0])) != 0) {
      throw new IOException("generated classes do not compile");
    }
  }

  private void pack(Path classes, Path jar) throws IOException {
    TreeSet<String> folders = new TreeSet<>();
    Map<String, byte[]> files = new LinkedHashMap<>(extra);
    for (Path file : Plugin.find(classes, ".class")) {
      files.put(classes.relativize(file).toString(), Files.readAllBytes(file));
    }
    for (String name : files.keySet()) {
      for (int slash = name.indexOf('/'); slash >= 0; slash = name.indexOf('/', slash + 1)) {
        folders.add(name.substring(0, slash + 1));
      }
    }
    try (OutputStream raw = Files.newOutputStream(jar); JarOutputStream out = new JarOutputStream(raw)) {
      for (String name : directories ? folders : new TreeSet<String>()) {
        out.putNextEntry(new JarEntry(name));
        out.closeEntry();
      }
      for (Map.Entry<String, byte[]> file : files.entrySet()) {
        put(out, file.getKey(), file.getValue());
      }
    }
  }

  private static void put(ZipOutputStream out, String name, byte[] content) throws IOException {
    out.putNextEntry(new ZipEntry(name));
    out.write(content);
    out.closeEntry();
  }
}
