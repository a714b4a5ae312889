package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
)

var diffFormats = map[string]func(w io.Writer, r *difference, color bool) error{
	"text": diffText, "json": diffJSON, "markdown": diffMarkdown,
}

func diffJSON(w io.Writer, r *difference, _ bool) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// diffGroup is the changes of one source, or of one kind without a source.
type diffGroup struct {
	title   string
	source  bool
	changes []told
}

var kindTitles = map[diff.Kind]string{
	diff.Access: "access", diff.Account: "accounts", diff.Mode: "modes", diff.Plaintext: "plaintext", diff.Egress: "egress",
	diff.Service: "services", diff.Split: "splits", diff.Setting: "settings", diff.Rule: "what judges",
}

func diffGroups(changes []told) []diffGroup {
	var out []diffGroup
	for _, c := range changes {
		title := kindTitles[c.Kind]
		if c.Source != "" {
			title = c.Source
		}
		i := slices.IndexFunc(out, func(g diffGroup) bool { return g.title == title })
		if i < 0 {
			out = append(out, diffGroup{title: title, source: c.Source != ""})
			i = len(out) - 1
		}
		out[i].changes = append(out[i].changes, c)
	}
	return out
}

// diffColors are ANSI colours by effect.
var diffColors = map[diff.Effect]string{diff.Widened: "31", diff.Both: "31", diff.Unknown: "33", diff.Narrowed: "32", diff.Changed: "36"}

func diffText(w io.Writer, r *difference, color bool) error {
	var b strings.Builder
	for _, g := range diffGroups(r.Changes) {
		fmt.Fprintln(&b, g.title)
		for _, c := range g.changes {
			for _, l := range c.Lines() {
				text := l.Effect.Sign() + " " + l.Text
				if color {
					text = "\x1b[" + diffColors[l.Effect] + "m" + text + "\x1b[0m"
				}
				fmt.Fprintf(&b, "  %s%s\n", text, r.where(c.Environments))
				if l.Example != "" {
					fmt.Fprintf(&b, "      such as %s\n", l.Example)
				}
			}
			if c.Note != "" {
				fmt.Fprintf(&b, "      %s\n", c.Note)
			}
			if by := causesText(c.Causes); by != "" {
				fmt.Fprintf(&b, "      by %s\n", by)
			}
		}
		fmt.Fprintln(&b)
	}
	for i, f := range r.Findings {
		if i == 0 {
			fmt.Fprintln(&b, "found by rules that compare")
		}
		fmt.Fprintf(&b, "  %s%s\n", f.text(), r.where(f.Environments))
		if f.Effect != "" {
			fmt.Fprintf(&b, "      %s\n", f.Effect)
		}
		fmt.Fprintf(&b, "      at %s:%d\n", f.File, f.Line)
		if i == len(r.Findings)-1 {
			fmt.Fprintln(&b)
		}
	}
	for _, p := range r.Proxies {
		fmt.Fprintf(&b, "proxies%s: %s\n", r.where(p.Environments), strings.Join(proxyText(p.Proxies), "; "))
	}
	fmt.Fprintf(&b, "%s\n", r.summary())
	_, err := io.WriteString(w, b.String())
	return err
}

// where names the environments of a change, unless it is in all of them.
func (r *difference) where(envs []string) string {
	switch {
	case len(r.Environments) == 0:
		return ""
	case len(envs) == len(r.Environments):
		return " (in every environment)"
	}
	return " (in " + strings.Join(envs, ", ") + ")"
}

// causesText names the objects behind a change, with file and line.
func causesText(causes []diff.Cause) string {
	const most = 4
	var out []string
	for _, c := range causes {
		if c.Name == "" && c.File == "" {
			continue
		}
		text := c.Name
		if c.File != "" {
			text += fmt.Sprintf(" at %s:%d", c.File, c.Line)
		}
		if c.Before {
			text += " (before)"
		}
		out = append(out, text)
	}
	if len(out) > most {
		out = append(out[:most], fmt.Sprintf("%d more", len(out)-most))
	}
	return strings.Join(out, ", ")
}

var resourceNames = map[ir.ResourceType][2]string{
	ir.TypeListener: {"listener", "listeners"}, ir.TypeChain: {"filter chain", "filter chains"}, ir.TypeRoute: {"route configuration", "route configurations"},
	ir.TypeCluster: {"cluster", "clusters"}, ir.TypeExtension: {"TCP filter", "TCP filters"},
}

// proxyText is what a change means to proxies, in a few phrases.
func proxyText(p diff.Proxies) []string {
	const most = 5
	var out []string
	if len(p.Changed) > 0 {
		names := make([]string, 0, most)
		for _, name := range p.Changed {
			short, _, _ := strings.Cut(name, "|")
			if !slices.Contains(names, short) && len(names) < most {
				names = append(names, short)
			}
		}
		more := ""
		if rest := len(p.Changed) - len(names); rest > 0 {
			more = fmt.Sprintf(" and %d more", rest)
		}
		verb := "are"
		if len(p.Changed) == 1 {
			verb = "is"
		}
		out = append(out, fmt.Sprintf("%d of %d %s sent something else: %s%s", len(p.Changed), p.Total, verb, strings.Join(names, ", "), more))
	}
	if p.Added > 0 {
		out = append(out, fmt.Sprintf("%d new", p.Added))
	}
	if p.Removed > 0 {
		out = append(out, fmt.Sprintf("%d gone", p.Removed))
	}
	for _, c := range p.Resources {
		out = append(out, resourceText(c))
	}
	return append(out, drainText(p))
}

func resourceText(c diff.ResourceCount) string {
	var parts []string
	for _, one := range []struct {
		n    int
		what string
	}{{c.Changed, "changed"}, {c.Added, "added"}, {c.Removed, "removed"}} {
		if one.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", one.n, one.what))
		}
	}
	name := resourceNames[c.Type][1]
	if c.Changed+c.Added+c.Removed == 1 {
		name = resourceNames[c.Type][0]
	}
	return name + " " + strings.Join(parts, ", ")
}

func drainText(p diff.Proxies) string {
	const most = 5
	if len(p.Drains) == 0 {
		return "no listener drains, open connections are not touched"
	}
	var names []string
	for _, d := range p.Drains[:min(most, len(p.Drains))] {
		names = append(names, fmt.Sprintf("%s %s (%s)", resourceNames[d.Type][0], d.Name, pluralOf(d.Proxies, "proxy", "proxies")))
	}
	text := "connections drain on " + strings.Join(names, ", ")
	if rest := len(p.Drains) - len(names); rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

func pluralOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// summary is the last line.
func (r *difference) summary() string {
	between := fmt.Sprintf(" between %s and %s", r.Base.short(), r.Head.short())
	if len(r.Changes) == 0 {
		what := "no file differs"
		switch {
		case r.Files == 1:
			what = "1 file reformatted"
		case r.Files > 1:
			what = fmt.Sprintf("%d files reformatted", r.Files)
		case r.Base.PolicyDigest != "" || r.Head.PolicyDigest != "":
			return "no change in meaning" + between
		}
		return "no change in meaning" + between + ": " + what
	}
	var widen, narrow, neither, both int
	for _, c := range r.Changes {
		switch c.Effect {
		case diff.Both:
			widen++
			narrow++
			both++
		case diff.Widened, diff.Unknown: // what is not known may widen
			widen++
		case diff.Narrowed:
			narrow++
		default:
			neither++
		}
	}
	out := fmt.Sprintf("%s%s: %d widen, %d narrow, %d do neither", plural(len(r.Changes), "change"), between, widen, narrow, neither)
	if both > 0 {
		out += fmt.Sprintf(", %d of them both", both)
	}
	switch {
	case r.Base.Absent:
		out += fmt.Sprintf(" (it is not in %s at all: everything is new)", r.Base.short())
	case r.Head.Absent:
		out += fmt.Sprintf(" (it is not in %s at all: everything is gone)", r.Head.short())
	}
	return out
}
