package baseline

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/meshc/meshc/compiler/diag"
)

var (
	codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,15}[0-9]{3,4}$`)
	markForm = regexp.MustCompile(`^[0-9a-f]{32}$`)
	conflict = regexp.MustCompile(`^(<{7}|={7}|>{7}|\|{7})( |$)`)
)

// manyAlike is how many faults of a baseline are shown: one that is something
// else altogether has one on every line.
const manyAlike = 20

// Parse reads a baseline. What is damaged is a finding at its place; the other
// lines count.
func Parse(path string, data []byte) (*Baseline, diag.List) {
	p := &parser{path: path, out: &Baseline{}}
	rest := bytes.TrimPrefix(data, []byte("\ufeff"))
	for n := 1; len(rest) > 0 && len(p.found) < manyAlike; n++ {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		p.line(n, strings.TrimSuffix(string(line), "\r"))
	}
	if len(data) == 0 {
		p.fault(1, 1, 1, "the file is empty", "write it anew: meshc check --write-baseline FILE")
	}
	return p.out, p.found
}

type parser struct {
	path  string
	out   *Baseline
	found diag.List
}

func (p *parser) line(n int, text string) {
	switch {
	case n == 1 && strings.TrimSpace(text) != title:
		p.fault(n, 1, utf8.RuneCountInString(text), fmt.Sprintf("it does not begin with %q", title), "name a file that --write-baseline has written, by this version of meshc or an older one")
	case text == "" || text[0] == '#':
	case conflict.MatchString(text):
		p.fault(n, 1, utf8.RuneCountInString(text), "a merge conflict is left in it", "keep the lines of both sides and delete the marks; lines that nothing needs any more are told")
	case !utf8.ValidString(text):
		p.fault(n, 1, 1, "the line is no UTF-8", "write the file anew: meshc check --write-baseline FILE")
	default:
		p.entry(n, text)
	}
}

// entry reads CODE OBJECT FINGERPRINT MESSAGE.
func (p *parser) entry(n int, text string) {
	const form = "a line is CODE OBJECT FINGERPRINT MESSAGE, as --write-baseline writes it"
	code, rest, _ := strings.Cut(text, " ")
	object, rest, _ := strings.Cut(rest, " ")
	mark, message, _ := strings.Cut(rest, " ")
	third := utf8.RuneCountInString(code) + utf8.RuneCountInString(object) + 3
	switch {
	case !codeForm.MatchString(code):
		p.fault(n, 1, utf8.RuneCountInString(code), fmt.Sprintf("%q is not the code of a finding", code), form)
	case !markForm.MatchString(mark):
		p.fault(n, third, utf8.RuneCountInString(mark), fmt.Sprintf("%q is not a fingerprint", mark), form)
	case !diag.Code(code).Waivable():
		p.found.Add(diag.New("MSH0904", p.at(n, 1, len(code)), "%s cannot be accepted by a baseline", code).
			WithEffect("the line counts for nothing: the findings stay").
			WithHelp("mend what the finding is about: `meshc explain %s`", code))
	default:
		p.out.entries = append(p.out.entries, entry{diag.Code(code), mark, object, message, p.at(n, 1, third+len(mark)-1)})
	}
}

func (p *parser) fault(line, col, width int, what, help string) {
	p.found.Add(diag.New(CodeDamaged, p.at(line, col, width), "the baseline cannot be read: %s", what).
		WithEffect("what the line stands for counts again").
		WithHelp("%s", help))
}

func (p *parser) at(line, col, width int) diag.Span {
	return diag.Span{File: p.path, Line: line, Col: col, EndLine: line, EndCol: col + max(1, width)}
}
