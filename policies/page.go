package policies

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// Page is the rule's page in Markdown. dir is the rule's folder, whose samples
// are shown; nil: none are.
func (r *Rule) Page(dir fs.FS) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s: %s\n\n%s\n\n%s\n", r.Code, r.Title, r.when(), r.Description)
	if r.Help != "" {
		fmt.Fprintf(&b, "\nWhat to do: %s.\n", r.Help)
	}
	if len(r.Params) > 0 {
		b.WriteString("\n| parameter | type | default | meaning |\n|---|---|---|---|\n")
	}
	for _, p := range r.Params {
		value, err := json.Marshal(p.Default)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", p.Name, p.Type, strings.ReplaceAll(string(value), "|", "\\|"), strings.ReplaceAll(p.Help, "|", "\\|"))
	}
	for _, at := range r.Related {
		fmt.Fprintf(&b, "\nSee <%s>.\n", at)
	}
	if dir != nil {
		if err := samples(&b, dir); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// when says at which stages and on what the rule is run.
func (r *Rule) when() string {
	var of []string
	switch r.Scope {
	case ScopeObject:
		of = append(of, "Judges each "+strings.Join(r.Kinds, ", ")+".")
	case ScopeNamespace:
		of = append(of, "Judges each namespace.")
	default:
		of = append(of, "Judges the mesh as a whole.")
	}
	of = append(of, fmt.Sprintf("%s in a build, %s at admission, %s in a live mesh.", title(r.Levels[Build]), r.Levels[Admission], r.Levels[Live]))
	if r.Compares {
		of = append(of, "Compares with the state before a change, and finds nothing where no `--base` or `--changed-since` names it.")
	}
	if r.Disabled {
		of = append(of, fmt.Sprintf("Off until meshc.yaml turns it on: `rules: {severity: {%s: %s}}`.", r.Code, r.Levels[Build]))
	}
	return strings.Join(of, " ")
}

func title(l Level) string { return strings.ToUpper(string(l[:1])) + string(l[1:]) }

var wantComment = regexp.MustCompile(`\s*# want: [A-Z0-9, ]+`)

// samples shows of the samples bad and good the files in which they differ.
func samples(b *bytes.Buffer, dir fs.FS) error {
	bad, good, err := differing(dir)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		head  string
		files []sampleFile
	}{{"Bad", bad}, {"Good", good}} {
		for _, f := range s.files {
			fmt.Fprintf(b, "\n%s, in %s:\n\n```yaml\n%s\n```\n", s.head, f.name, f.text)
		}
	}
	return nil
}

type sampleFile struct{ name, text string }

// differing are the files in which the samples bad and good differ.
func differing(dir fs.FS) (inBad, inGood []sampleFile, err error) {
	bad, err := filesOf(dir, "bad")
	if err != nil {
		return nil, nil, err
	}
	good, err := filesOf(dir, "good")
	if err != nil {
		return nil, nil, err
	}
	of := func(own, peer map[string]string) (out []sampleFile) {
		for _, name := range names(own) {
			text := own[name]
			if wantComment.ReplaceAllString(text, "") == wantComment.ReplaceAllString(peer[name], "") && !wantComment.MatchString(text) {
				continue
			}
			out = append(out, sampleFile{name, strings.TrimRight(wantComment.ReplaceAllString(text, "   # here"), "\n")})
		}
		return out
	}
	return of(bad, good), of(good, bad), nil
}

// Explained is what `meshc explain` says of the rule, with its samples: dir is its
// folder; nil: they are those of the library.
func (r *Rule) Explained(dir fs.FS) (diag.Entry, error) {
	e := r.Entry()
	if dir == nil {
		var err error
		if dir, err = fs.Sub(libraryFiles, strings.TrimPrefix(path.Dir(r.File), "policies/")); err != nil {
			return e, err
		}
	}
	bad, good, err := differing(dir)
	e.Bad, e.Good = joined(bad), joined(good)
	return e, err
}

// joined are files as documents of one, each below its name.
func joined(files []sampleFile) string {
	var out []string
	for _, f := range files {
		out = append(out, "# "+f.name+"\n"+f.text)
	}
	return strings.Join(out, "\n---\n")
}

// filesOf are the manifests of a sample; none when there is no such sample.
func filesOf(dir fs.FS, sample string) (map[string]string, error) {
	out := map[string]string{}
	err := fs.WalkDir(dir, sample, func(name string, d fs.DirEntry, err error) error {
		if name == sample && err != nil {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)) {
			return err
		}
		text, err := fs.ReadFile(dir, name)
		out[strings.TrimPrefix(name, sample+"/")] = string(text)
		return err
	})
	return out, err
}

// builtin are the wishes for which meshc has a check of its own, so that the
// library need not report the same fault again; rules of the library judge what
// lies beside them.
var builtin = []struct {
	wish  string
	check diag.Code
	also  diag.Code // the rule that goes further, if there is one
}{
	{"a source that nobody knows", "MSH3001", "MSH3502"},
	{"a source outside the mesh", "MSH3011", "MSH3505"},
	{"a destination that no service backs", "MSH1022", ""},
	{"a route group that nobody uses", "MSH1021", "MSH1506"},
	{"a path that also allows longer ones", "MSH1017", "MSH1509"},
	{"a regular expression that proxies refuse", "MSH1016", "MSH1510"},
	{"access that rests on a header", "MSH1019", "MSH1511"},
	{"a split that another one shadows", "MSH2012", "MSH1507"},
	{"a split whose weights are all 0", "MSH2004", "MSH2502"},
	{"a backend without the root's ports", "MSH2008", ""},
	{"a client that may call some backends only", "MSH2017", "MSH2503"},
	{"a service whose pods have different grants", "MSH3009", "MSH3503"},
	{"a service that nothing backs", "MSH4004", "MSH2501"},
	{"a port whose protocol is a guess", "MSH4001", "MSH4522"},
}

// Index is the table of contents of the rules' pages, in Markdown. page is the
// address of a rule's page.
func Index(rules []*Rule, page func(*Rule) string) []byte {
	var b bytes.Buffer
	b.WriteString("# Rules of the library\n\nGenerated from the rules in `policies/lib` by `make golden`; `meshc policy list` shows what is\nin force. How a rule is written: [rules-format.md](../rules-format.md). What the compiler\nchecks by itself: [findings.md](../findings.md).\n\n| code | in a build | finds that |\n|---|---|---|\n")
	for _, r := range rules {
		level := string(r.Levels[Build])
		if r.Disabled {
			level = "off (" + level + ")"
		}
		fmt.Fprintf(&b, "| [%s](%s) | %s | %s |\n", r.Code, page(r), level, r.Title)
	}
	b.WriteString("\n## What the compiler checks by itself\n\nNo fault is reported twice: for these there is no rule, or one that judges what the check leaves.\n\n| what is looked for | check | rule beside it |\n|---|---|---|\n")
	for _, x := range builtin {
		also := ""
		for _, r := range rules {
			if r.Code == x.also {
				also = fmt.Sprintf("[%s](%s): %s", r.Code, page(r), r.Title)
			}
		}
		e, _ := diag.Lookup(x.check)
		fmt.Fprintf(&b, "| %s | %s: %s | %s |\n", x.wish, x.check, e.Title, also)
	}
	return b.Bytes()
}
