package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The commands that the documents print are what people paste. Each one runs
// here as it is printed; those that need root, a network or an end (lab, serve,
// token, --live, demo) are checked against the command tree's verbs and flags.
func TestDocumentedCommands(t *testing.T) {
	root := filepath.Join("..", "..")
	documents, err := filepath.Glob(filepath.Join(root, "examples", "*", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	documents = append(documents, filepath.Join(root, "README.md"))
	scratch := t.TempDir()
	count := 0
	for _, document := range documents {
		if strings.Contains(document, "08-policy-repo-and-app-repo") {
			continue // a story of commands that change a copy: examples follows it as a whole
		}
		for _, line := range commandLines(t, document) {
			count++
			t.Run(filepath.Base(filepath.Dir(document))+"/"+line, func(t *testing.T) { runDocumented(t, root, scratch, line) })
		}
	}
	if count < 10 {
		t.Fatalf("only %d commands were found in %d documents: the pattern is broken", count, len(documents))
	}
}

// commandLines are the indented lines of a document that call meshc.
func commandLines(t *testing.T, document string) []string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(string(text), "\n") {
		command, _, _ := strings.Cut(strings.TrimSpace(line), "#")
		command = strings.TrimPrefix(strings.TrimSpace(command), "bin/")
		if strings.HasPrefix(line, "    ") && strings.HasPrefix(command, "meshc ") {
			lines = append(lines, command)
		}
	}
	return lines
}

func runDocumented(t *testing.T, root, scratch, line string) {
	args := strings.Fields(line)[1:]
	for i, a := range args {
		args[i] = strings.Replace(a, ".cache/", scratch+"/", 1)
	}
	if !runsHere(args) {
		checkFlags(t, args)
		return
	}
	t.Chdir(root)
	var out, errs bytes.Buffer
	code := run(context.Background(), args, streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	wanted := []int{exitClean}
	if args[0] == "can" {
		wanted = append(wanted, exitFindings)
	}
	if !slices.Contains(wanted, code) {
		t.Errorf("exit %d\n%s%s", code, &out, &errs)
	}
}

// runsHere tells whether a command ends by itself and needs nothing but files.
func runsHere(args []string) bool {
	return slices.Contains([]string{"check", "build", "inspect", "verify", "can", "test", "explain", "lock"}, args[0]) && !slices.Contains(args, "--live")
}

func checkFlags(t *testing.T, args []string) {
	t.Helper()
	cmd, rest, err := newRoot(streams{}).Find(args)
	if err != nil || !cmd.HasParent() {
		t.Fatalf("there is no such verb: %v", err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Error(err)
	}
}
