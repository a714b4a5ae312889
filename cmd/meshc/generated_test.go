package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/meshc/meshc/compiler/diag"
)

var update = flag.Bool("update", false, "rewrite generated documents")

// docs/cli.md and docs/findings.md are printed from the command tree and the
// code tables; a stale one tells users of flags that are not there.
func TestGeneratedDocuments(t *testing.T) {
	for name, want := range map[string][]byte{"cli.md": cliDocument(t), "findings.md": findingsDocument()} {
		path := filepath.Join("..", "..", "docs", name)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("docs/%s is stale: run make golden", name)
		}
	}
}

func cliDocument(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# The command line\n\nGenerated from the command tree by `make golden`.\n\nExit codes, the same for every verb and format: 0 clean; 1 findings at or above\n`--fail-on`, a verdict of deny, a failed case; 2 usage or configuration; 3 a file\nor kustomization that cannot be opened or rendered; 4 an engine failure, nothing\nevaluated, or a verdict of unknown.\n")
	root := newRoot(streams{})
	root.DisableAutoGenTag = true
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if !sub.IsAvailableCommand() || sub.Name() == "help" || sub.Name() == "completion" {
				continue
			}
			sub.DisableAutoGenTag = true
			b.WriteString("\n")
			if err := doc.GenMarkdownCustom(sub, &b, func(string) string { return "" }); err != nil {
				t.Fatal(err)
			}
			walk(sub)
		}
	}
	walk(root)
	return cleanMarkdown(b.Bytes())
}

// cleanMarkdown drops the links between one file per verb, which one page does not have.
func cleanMarkdown(in []byte) []byte {
	var out []string
	skip := false
	for _, line := range strings.Split(string(in), "\n") {
		switch {
		case strings.HasPrefix(line, "### SEE ALSO"):
			skip = true
			continue
		case strings.HasPrefix(line, "## "):
			skip = false
		}
		if !skip {
			out = append(out, strings.TrimRight(line, " "))
		}
	}
	return []byte(strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n")
}

func findingsDocument() []byte {
	var b bytes.Buffer
	b.WriteString("# Findings\n\nGenerated from the code tables by `make golden`; `meshc explain CODE` prints the\nsame offline. A code keeps its meaning for ever.\n")
	for _, e := range diag.Codes() {
		fmt.Fprintf(&b, "\n## %s: %s\n\n%s in a build, %s at admission, %s in a live mesh.\n\n%s\n", e.Code, e.Title, e.Build, e.Admission, e.Live, strings.TrimSpace(e.Explain))
		for _, x := range []struct{ head, text string }{{"Bad", e.Bad}, {"Good", e.Good}} {
			if x.text != "" {
				fmt.Fprintf(&b, "\n%s:\n\n```yaml\n%s\n```\n", x.head, strings.Trim(x.text, "\n"))
			}
		}
	}
	return b.Bytes()
}

// Every code must say what it is and what to do, with a title in one plain line.
func TestGeneratedFindingsAreExplained(t *testing.T) {
	for _, e := range diag.Codes() {
		if e.Title == "" || strings.HasSuffix(e.Title, ".") || strings.Contains(e.Title, "\n") {
			t.Errorf("%s: the title %q is not a plain sentence without a stop", e.Code, e.Title)
		}
		if len(strings.Fields(e.Explain)) < 8 {
			t.Errorf("%s: meshc explain has nothing to say", e.Code)
		}
	}
}

// Every verb shows an example in its help: people copy it.
func TestEveryVerbHasAnExample(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Name() == "help" || sub.Name() == "completion" || sub.Hidden {
				continue
			}
			if sub.Runnable() && sub.Example == "" {
				t.Errorf("%s has no example", sub.CommandPath())
			}
			walk(sub)
		}
	}
	walk(newRoot(streams{}))
}
