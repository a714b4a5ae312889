package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	textdiff "github.com/rogpeppe/go-internal/diff"

	"github.com/meshc/meshc/compiler/allow"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verdict"
)

// allowed is what `meshc allow` has done, or would do. Its field names are a
// promise to readers.
type allowed struct {
	Proposals []allow.Proposal `json:"proposals,omitempty"`
	Files     []allowedFile    `json:"files"`
	Written   bool             `json:"written"`
	Changes   diff.Changes     `json:"changes"`
	// Elsewhere is what the edits allow in other environments too.
	Elsewhere []allowedElsewhere `json:"elsewhere,omitempty"`
}

type allowedFile struct {
	Path string `json:"path"`
	New  bool   `json:"new,omitempty"`
	Diff string `json:"diff"`
}

// finish writes the files, unless only the diff is wanted, and tells what changed.
func (f *allowFlags) finish(s streams, g *granting, dry bool, proposals []allow.Proposal) error {
	out := allowed{Proposals: proposals, Files: []allowedFile{}, Written: !dry && len(g.touched) > 0, Changes: g.widened(), Elsewhere: g.elsewhere}
	for _, path := range g.touched {
		old, had := g.compilation.Tree.Text(path)
		data, _ := g.tree.Text(path)
		from := path
		if !had {
			from = os.DevNull
		}
		text := strings.TrimPrefix(string(textdiff.Diff(from, old, path, data)), "diff "+from+" "+path+"\n")
		out.Files = append(out.Files, allowedFile{Path: path, New: !had, Diff: text})
		if out.Written {
			if err := overwrite(path, old, data, had); err != nil {
				return input(err)
			}
		}
	}
	if f.output == "json" {
		e := json.NewEncoder(s.Out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(out)
	}
	return out.text(s.Out, dry)
}

// overwrite puts a file in the place of the one that was read, whole or not at all.
func overwrite(path string, old, data []byte, had bool) error {
	mode := os.FileMode(0o644)
	now, err := os.ReadFile(path)
	switch {
	case had && err != nil:
		return err
	case had && string(now) != string(old):
		return fmt.Errorf("%s changed while it was read", path)
	case !had && !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s is there already", path)
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".meshc-*")
	if err != nil {
		return err
	}
	_, err = next.Write(data)
	if err = cmp.Or(err, next.Chmod(mode), next.Close()); err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		os.Remove(next.Name())
	}
	return err
}

func (a *allowed) text(w io.Writer, dry bool) error {
	var b strings.Builder
	for _, p := range a.Proposals {
		fmt.Fprintln(&b, proposalText(p))
	}
	for _, file := range a.Files {
		switch {
		case dry:
			b.WriteString(file.Diff)
		case file.New:
			fmt.Fprintf(&b, "wrote %s (new)\n", file.Path)
		default:
			fmt.Fprintf(&b, "wrote %s\n", file.Path)
		}
	}
	listChanges(&b, "newly allowed", a.Changes)
	for _, e := range a.Elsewhere {
		where := "newly allowed in environment " + e.Environment + ", too"
		if e.Environment == "" {
			where = "newly allowed without an environment, too"
		}
		listChanges(&b, where, e.Changes)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func listChanges(b *strings.Builder, title string, changes diff.Changes) {
	if len(changes) > 0 {
		fmt.Fprintln(b, title)
	}
	for _, c := range changes {
		for _, l := range c.Lines() {
			fmt.Fprintf(b, "  %s %s %s\n", l.Effect.Sign(), c.Source, l.Text)
		}
	}
}

func proposalText(p allow.Proposal) string {
	if p.Method == "" {
		return fmt.Sprintf("%dx %s connects to %s", p.Count, p.From.Short(), p.To)
	}
	text := fmt.Sprintf("%dx %s sends %s %s to %s", p.Count, p.From.Short(), p.Method, p.Regex, p.To)
	if p.Wider {
		text += fmt.Sprintf("\n    wider than the %s seen, such as %s", plural(len(p.Paths), "path"), p.Path)
	}
	return text
}

// fromAudit proposes a grant for each pattern that the log tells of.
func (f *allowFlags) fromAudit(s streams, sources []string) error {
	headers, err := parseHeaders(f.headers)
	if err == nil {
		err = verdict.CheckHTTP(&ir.HTTPRequest{Method: "GET", Path: "/", Headers: headers})
	}
	if err != nil {
		return usage(err)
	}
	g, err := f.open(s, sources)
	if err != nil {
		return err
	}
	log, name := s.In, "stdin"
	if f.audit != "-" {
		file, err := os.Open(f.audit)
		if err != nil {
			return input(err)
		}
		defer file.Close()
		log, name = file, f.audit
	}
	seen, found, err := allow.ReadAudit(log, name, g.Mesh.Settings.Compat)
	if err != nil {
		return input(err)
	}
	var proposed []allow.Proposal
	for _, p := range seen {
		at := diag.Span{File: name, Line: p.Line, Col: 1}
		q := allow.Question{Request: p.Request(), From: at, To: at, What: at}
		if q.Request.HTTP != nil {
			q.Request.HTTP.Headers = headers
		}
		if p.Wider {
			q.Regex = p.Regex
		}
		wrong := g.add(q)
		switch {
		case len(wrong) == 0:
			proposed = append(proposed, p)
		case wrong[0].Code == "MSH4651": // a grant written since, or one just before
		default:
			for _, w := range wrong {
				if w.Code != "MSH4653" {
					w = diag.New("MSH4655", at, "%s", w.Message).WithHelp("%s", w.Help)
				}
				found.Add(w)
			}
		}
	}
	if err := f.report.emit(s, found, g.text); err != nil {
		return err
	}
	if len(proposed) == 0 {
		fmt.Fprintln(s.Err, "meshc: the log tells of nothing that audit mode let through for lack of a grant")
	}
	return f.finish(s, g, !f.write, proposed)
}
