package org.datahubllmops.schemas;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Today's schemas can follow every released version, and a change that a server would choke on is caught. */
class ReleasedTest {

  private static final Path TODAY = Path.of(System.getProperty("models.pdl"));
  private static final Path RELEASED = Path.of(System.getProperty("models.released"));
  private static final String VERSION = System.getProperty("models.version");
  private static final String SEARCH = "@Searchable = {\"fieldName\": \"s\", \"fieldType\": \"KEYWORD\"} ";
  private static final String EDGE = "@Relationship = {\"name\": \"R\", \"entityTypes\": [\"dataset\"]} ";
  private static final String PROPERTY = "@LlmopsProperty = {\"name\": \"p\"} ";

  @TempDir Path scratch;

  @Test
  void todaysSchemasFollowEveryReleasedVersion() throws IOException {
    List<Path> versions = versions();
    assertFalse(versions.isEmpty(), "nothing below " + RELEASED);
    for (Path version : versions) {
      assertEquals(List.of(), Released.problems(version.resolve("pegasus"), TODAY), version.toString());
    }
  }

  @Test
  void aReleasedVersionDoesNotChange() throws IOException {
    Path same = RELEASED.resolve(VERSION);
    if (Files.isDirectory(same)) {
      String advice = "raise <version> in schemas/pom.xml: " + VERSION + " is released";
      assertEquals(List.of(), Released.differences(same.resolve("pegasus"), TODAY), advice);
      assertEquals(
          Files.readString(same.resolve("entity-registry.yaml")),
          Files.readString(Path.of(System.getProperty("models.registry"))), advice);
    }
  }

  private static List<Path> versions() throws IOException {
    try (Stream<Path> folders = Files.list(RELEASED)) {
      return folders.filter(Files::isDirectory).sorted().toList();
    }
  }

  @ParameterizedTest(name = "{0}: {1} to {2}")
  @MethodSource("changes")
  void aChangeIsJudgedAsTheServerWould(String rule, String before, String after) throws IOException {
    List<String> found = Released.problems(write("before", before), write("after", after));
    if (rule.equals("fine")) {
      assertEquals(List.of(), found);
    } else {
      assertTrue(found.stream().anyMatch(line -> line.startsWith("[" + rule + "]")), found.toString());
    }
  }

  static Stream<Arguments> changes() {
    String base = "/** A. */ a: string";
    return Stream.of(
        Arguments.of("fine", base, base + " /** B. */ b: optional string"),
        Arguments.of("fine", base, "/** Other words. */ a: string"),
        Arguments.of("incompatible", base, base + " /** B. */ b: string"),
        Arguments.of("incompatible", base + " /** B. */ b: optional string", base),
        Arguments.of("incompatible", base, "/** A. */ a: int"),
        Arguments.of("incompatible", "/** A. */ a: int", "/** A. */ a: long"),
        Arguments.of("incompatible", "/** A. */ a: enum K { ONE }", "/** A. */ a: enum K { ONE, TWO }"),
        Arguments.of("annotation", "/** A. */ " + SEARCH + "a: string", "/** A. */ " + SEARCH.replace("\"s\"", "\"t\"") + "a: string"),
        Arguments.of("annotation", "/** A. */ " + SEARCH + "a: string", base),
        Arguments.of("annotation", "/** A. */ " + EDGE + "a: string", "/** A. */ " + EDGE.replace("\"R\"", "\"S\"") + "a: string"),
        Arguments.of("fine", base, "/** A. */ " + PROPERTY + "a: string"),
        Arguments.of("annotation", "/** A. */ " + PROPERTY + "a: string", base),
        Arguments.of("annotation", "/** A. */ " + PROPERTY + "a: string", "/** A. */ " + PROPERTY.replace("\"p\"", "\"q\"") + "a: string"),
        Arguments.of("default", "/** A. */ a: string = \"x\"", "/** A. */ a: string = \"y\""));
  }

  @Test
  void aRemovedAspectIsCaught() throws IOException {
    Path before = write("before", "/** A. */ a: string");
    Path after = Files.createDirectories(scratch.resolve("after"));
    assertEquals(List.of("[removed] thing"), Released.problems(before, after));
  }

  @Test
  void anEditedReleaseIsCaught() throws IOException {
    Path before = write("before", "/** A. */ a: string");
    assertEquals(1, Released.differences(before, write("after", "/** Other words. */ a: string")).size());
  }

  @Test
  void anErrorInThePdlNamesTheFileAndTheLine() throws IOException {
    Path sources = write("broken", "/** A. */ a strin");
    Path java = Files.createDirectories(scratch.resolve("java"));
    Exception error = assertThrows(IOException.class, () -> PluginZip.generate(sources, java));
    assertTrue(error.getMessage().contains("Thing.pdl"), error.getMessage());
    assertTrue(error.getMessage().contains("5"), error.getMessage());
  }

  private Path write(String name, String fields) throws IOException {
    Path folder = Files.createDirectories(scratch.resolve(name));
    Path home = Files.createDirectories(folder.resolve("org/datahubllmops/metadata"));
    Files.writeString(home.resolve("Thing.pdl"), PluginZip.thing("Thing", "thing", fields));
    return folder;
  }
}
