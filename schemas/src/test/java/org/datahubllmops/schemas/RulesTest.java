package org.datahubllmops.schemas;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The built archive keeps every rule, and an archive that breaks one is caught by exactly that rule. */
class RulesTest {

  private static final String RENDER = "\"renderSpec\": {\"displayType\": \"tabular\", \"displayName\": \"T\", \"key\": ";

  @TempDir Path scratch;

  @Test
  void theArchiveKeepsEveryRule() throws IOException {
    Path zip = Path.of(System.getProperty("models.zip"));
    assertEquals(List.of(), Rules.problems(zip, scratch, System.getProperty("models.version"), Plugin.Scan.SERVER));
  }

  @Test
  void theArchiveHoldsEveryPdlAndNothingElse() throws IOException {
    Path pdl = Path.of(System.getProperty("models.pdl"));
    long withAspect = Plugin.find(pdl, ".pdl").stream().filter(RulesTest::isAspect).count();
    try (Plugin plugin = Plugin.open(Path.of(System.getProperty("models.zip")), scratch, Plugin.Scan.JAR)) {
      assertEquals(withAspect, plugin.aspects.size());
      assertEquals(
          Files.readString(Path.of(System.getProperty("models.registry"))),
          Files.readString(plugin.folder.resolve("entity-registry.yaml")));
    }
  }

  private static boolean isAspect(Path file) {
    try {
      return Files.readString(file).contains("@Aspect");
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }

  @Test
  void aGoodPluginHasNoProblem() throws IOException {
    assertEquals(List.of(), problems(PluginZip.good()));
  }

  @Test
  void aServerFindsNothingInAJarWithoutDirectories() throws IOException {
    Path zip = PluginZip.good().withoutDirectories().build(scratch.resolve("build"));
    List<String> found = Rules.problems(zip, scratch.resolve("server"), "0.0.1", Plugin.Scan.SERVER);
    assertTrue(found.contains("[class] thing has 0 classes instead of one"), found.toString());
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("broken")
  void aBrokenPluginIsCaught(String rule, PluginZip plugin) throws IOException {
    List<String> found = problems(plugin);
    assertTrue(found.stream().anyMatch(line -> line.startsWith("[" + rule + "]")), rule + " in " + found);
  }

  private List<String> problems(PluginZip plugin) throws IOException {
    return Rules.problems(plugin.build(scratch.resolve("build")), scratch.resolve("server"), "0.0.1", Plugin.Scan.JAR);
  }

  static Stream<Arguments> broken() {
    String registry = "id: datahub-llmops\nentities:\n";
    return Stream.of(
        Arguments.of("layout", PluginZip.good().folder("datahub-llmops/0.0.2")),
        Arguments.of("directories", PluginZip.good().withoutDirectories()),
        Arguments.of("dependency", PluginZip.good().entry("com/linkedin/data/DataMap.class", classBytes())),
        Arguments.of("reference", urnTyperef()),
        Arguments.of("type", urnTyperef()),
        Arguments.of("registry", PluginZip.good().registry(registry + "  - name: ragIndex\n    keyAspect: thing\n    aspects: [thing]\n")),
        Arguments.of("registry", PluginZip.good().registry(registry + "  - name: dataset\n    aspects: [thing]\nplugins: {}\n")),
        Arguments.of("registry", PluginZip.good().registry(registry + "  - name: dataset\n    aspects: [thing, thing]\n")),
        Arguments.of("class", PluginZip.good().registry(registry + "  - name: dataset\n    aspects: [thing, absent]\n")),
        Arguments.of("class", PluginZip.good().pdl("Other", PluginZip.thing("Other", "other", "/** A. */ a: string"))),
        Arguments.of("class", PluginZip.good().pdl("Other", PluginZip.thing("Other", "thing", "/** A. */ a: string"))),
        Arguments.of("core aspect", PluginZip.good()
            .pdl("Status", PluginZip.thing("Status", "status", "/** A. */ a: string"))
            .registry(registry + "  - name: dataset\n    aspects: [thing, status]\n")),
        Arguments.of("aspect name", PluginZip.good().pdl("Thing", PluginZip.thing("Thing", "thingInfo", "/** A. */ a: string"))),
        Arguments.of("namespace", PluginZip.good().pdl("Thing", PluginZip.thing("Thing", "thing", "/** A. */ a: string")
            .replace("org.datahubllmops.metadata", "org.example"))),
        Arguments.of("doc", PluginZip.good().fields("title: string")),
        Arguments.of("doc", PluginZip.good().pdl("Thing", PluginZip.thing("Thing", "thing", "/** A. */ a: string")
            .replace("/** A thing. */\n", ""))),
        Arguments.of("default", PluginZip.good().fields("/** A. */ a: optional string = \"x\"")),
        Arguments.of("enum", PluginZip.good().fields("/** A. */ a: enum Kind { ONE, TWO }")),
        Arguments.of("type", PluginZip.good().fields("/** A. */ a: map[string, string]")),
        Arguments.of("type", PluginZip.good().fields("/** A. */ a: union[string, int]")),
        Arguments.of("annotation", PluginZip.good().fields("/** A. */ @Searchabel = {} a: string")),
        Arguments.of("annotation", PluginZip.good().fields("/** A. */ @Searchable = {\"fieldType\": \"WORD\", \"fieldName\": \"t\"} a: string")),
        Arguments.of("annotation", PluginZip.good().fields("/** A. */ @Searchable = {\"fieldType\": \"KEYWORD\"} a: string")),
        Arguments.of("annotation", PluginZip.good().fields("/** A. */ @Searchable = {\"field\": \"t\"} a: string")),
        Arguments.of("annotation", PluginZip.good().fields("/** A. */ @Searchable = true a: string")),
        Arguments.of("annotation", PluginZip.good().fields("/** A. */ @Relationship = {\"name\": \"R\"} a: string")),
        Arguments.of("annotation", PluginZip.good().fields(
            "/** A. */ @Relationship = {\"name\": \"R\", \"entityTypes\": [\"dataset\"]} @LlmopsJoined = \"b\" a: array[string] /** B. */ b: string")),
        Arguments.of("annotation", PluginZip.good().fields("/** A. */ @LlmopsValues = [\"x\"] a: int")),
        Arguments.of("urn", PluginZip.good().fields("/** A. */ @Relationship = {\"name\": \"R\", \"entityTypes\": [\"dataset\"]} a: long")),
        Arguments.of("render", PluginZip.good().pdl("Thing", PluginZip.aspect("Thing", "{\"name\": \"thing\"}", "/** A. */ a: string"))),
        Arguments.of("render", PluginZip.good().pdl("Thing", PluginZip.aspect("Thing",
            "{\"name\": \"thing\", \"autoRender\": true, \"renderSpec\": {\"displayType\": \"properties\", \"displayName\": \"T\"}}", "/** A. */ a: string"))),
        Arguments.of("render", PluginZip.good().pdl("Thing", PluginZip.aspect("Thing",
            "{\"name\": \"thing\", \"autoRender\": true, \"renderSpec\": {\"displayType\": \"grid\", \"displayName\": \"T\", \"key\": \"k\"}}", "/** A. */ a: string"))),
        Arguments.of("shape", PluginZip.good().fields("/** A. */ a: array[string]")),
        Arguments.of("shape", PluginZip.good().fields("/** A. */ a: record Inner { /** B. */ b: string }")),
        Arguments.of("shape", table("\"rows\"", "/** A. */ rows: array[string]")),
        Arguments.of("shape", table("\"rows\"", "/** A. */ rows: array[/** R. */ record Row { /** B. */ b: string }] /** C. */ c: string")),
        Arguments.of("shape", table("\"other\"", "/** A. */ rows: array[/** R. */ record Row { /** B. */ b: string }]")),
        Arguments.of("shape", table("\"rows\"", "/** A. */ rows: optional array[/** R. */ record Row { /** B. */ b: string }]")),
        Arguments.of("shape", table("\"rows\"", "/** A. */ rows: array[/** R. */ record Row { /** B. */ b: optional string /** C. */ c: optional string }]")),
        Arguments.of("shape", table("\"rows\"", "/** A. */ rows: array[/** R. */ record Row { /** B. */ b: array[string] }]")),
        Arguments.of("time series", series("/** A. */ calls: long")),
        Arguments.of("time series", series("/** A. */ timestampMillis: long /** B. */ b: record Inner { /** C. */ @TimeseriesField = {} c: long }")),
        Arguments.of("render", PluginZip.good().pdl("Thing", PluginZip.aspect("Thing",
            "{\"name\": \"thing\", \"type\": \"timeseries\", \"autoRender\": true}", "/** A. */ timestampMillis: long"))),
        Arguments.of("search name", PluginZip.good().fields("/** A. */ @Searchable = {\"fieldName\": \"description\", \"fieldType\": \"KEYWORD\"} a: string")),
        Arguments.of("search name", PluginZip.good().fields(searchable("a") + searchable("b"))),
        Arguments.of("search name", PluginZip.good().fields(searchable("a"))
            .pdl("Other", PluginZip.thing("Other", "other", searchable("b")))
            .registry(registry + "  - name: dataset\n    aspects: [thing, other]\n")),
        Arguments.of("relationship name", PluginZip.good().fields(relationship("a", "DownstreamOf"))),
        Arguments.of("relationship twice", PluginZip.good().fields(relationship("a", "R") + relationship("b", "R"))));
  }

  private static PluginZip table(String key, String fields) {
    return PluginZip.good().pdl("Thing",
        PluginZip.aspect("Thing", "{\"name\": \"thing\", \"autoRender\": true, " + RENDER + key + "}}", fields));
  }

  private static PluginZip series(String fields) {
    return PluginZip.good().pdl("Thing",
        PluginZip.aspect("Thing", "{\"name\": \"thing\", \"type\": \"timeseries\"}", fields));
  }

  /** As DataHub's own Urn: a typeref with a Java class that lies on some class path, not in the jar. */
  private static PluginZip urnTyperef() {
    return PluginZip.good()
        .fields("/** A. */ a: Address")
        .pdl("Address", "namespace org.datahubllmops.metadata\n@java.class = \"javassist.ClassPool\"\ntyperef Address = string\n");
  }

  private static String searchable(String field) {
    return "/** A. */ @Searchable = {\"fieldName\": \"same\", \"fieldType\": \"KEYWORD\"} " + field + ": string\n";
  }

  private static String relationship(String field, String name) {
    return "/** A. */ @Relationship = {\"name\": \"" + name + "\", \"entityTypes\": [\"dataset\"]} " + field + ": string\n";
  }

  private static byte[] classBytes() {
    try (var in = Set.class.getResourceAsStream("Set.class")) {
      return in.readAllBytes();
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }
}
