package source

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// Parse reads the document; nil for an empty one. A fault of syntax is one finding, at the line where
// the parser first stumbles.
func (d *Document) Parse() (*yaml.Node, diag.List) {
	if l := readSimple(d.Text); l != nil {
		return l.Nodes(), nil
	}
	return d.parseAll()
}

// Layout is the document if it is written in a simple style; nil: it takes Parse.
func (d *Document) Layout() *Layout { return readSimple(d.Text) }

// parseAll is Parse by the full parser.
func (d *Document) parseAll() (*yaml.Node, diag.List) {
	n, err := parseNode(d.Text)
	if err == nil {
		return n, nil
	}
	return nil, diag.List{d.syntaxError(err)}
}

// parseNode is the root of the first document in text; nil for an empty one.
func parseNode(text []byte) (n *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil { // the parser must never take the process down
			n, err = nil, fmt.Errorf("yaml: %v", r)
		}
	}()
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// advice says in plain words what the parser's messages mean.
var advice = []struct{ has, message, help string }{
	{"mapping values are not allowed", "a `:` stands where no key can be", "indent the line like its siblings, or put the value in quotation marks if the `:` belongs to it"},
	{"did not find expected key", "this line is indented unlike the lines it belongs to", "indent it like its siblings; a list entry begins with `- `"},
	{"did not find expected '-' indicator", "this line breaks a list", "begin it with `- `, or indent it under the entry before it"},
	{"could not find expected ':'", "a key has no `:`", "write `key: value`, with a space after the colon"},
	{"cannot start any token", "a value begins with a character that YAML reserves", "put the value in quotation marks"},
	{"found unexpected end of stream", "a quotation mark is opened and never closed", "close it"},
	{"did not find expected ',' or", "a bracket is opened and never closed, or a comma is missing in it", "close it, or write the comma"},
	{"did not find expected node content", "a value is missing", "write the value"},
	{"block sequence entries are not allowed", "a list entry stands where no list can be", "put the list under its key, on lines of its own"},
	{"unknown anchor", "an alias refers to an anchor that is not there", "define it with `&name` earlier in the same document, or quote a value that begins with `*`"},
	{"unknown escape character", "a backslash in double quotation marks escapes nothing that YAML knows", "use single quotation marks, or write the backslash twice"},
}

// syntaxError is the finding of a document that cannot be parsed.
func (d *Document) syntaxError(err error) diag.Finding {
	said := yamlLine.FindStringSubmatch(firstLine(err.Error()))
	line, text := 1, firstLine(err.Error())
	if said != nil {
		text = said[2]
		if n, aerr := strconv.Atoi(said[1]); aerr == nil {
			line = n
		}
	}
	line = d.stumble(line)
	at := d.Point(line, 1)
	if content := d.line(line); len(content) > 0 {
		blank := len(content) - len([]rune(strings.TrimLeft(string(content), " ")))
		at.Col, at.EndCol = d.Indent+blank+1, d.Indent+len(content)+1
	}
	for _, a := range advice {
		if strings.Contains(text, a.has) {
			return diag.New("MSH0040", at, "%s (%s)", a.message, text).WithHelp("%s", a.help)
		}
	}
	return diag.New("MSH0040", at, "the document is no valid YAML: %s", text).
		WithHelp("nothing in this document was checked")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// stumbleBytes bounds the search for the line, which parses a prefix for each
// line from the last one up: a second of work at most.
const stumbleBytes = 16 << 20

// stumble finds the line at which the parser first goes wrong: the shortest
// prefix that no further line mends. What the parser itself names is the start
// of the structure around it, or the line after.
func (d *Document) stumble(said int) int {
	ends := []int{}
	for pos := 0; pos < len(d.Text); {
		i := bytes.IndexByte(d.Text[pos:], '\n')
		if i < 0 {
			ends = append(ends, len(d.Text))
			break
		}
		pos += i + 1
		ends = append(ends, pos)
	}
	last := len(ends)
	for budget := stumbleBytes; last > 1; last-- {
		if budget -= ends[last-2]; budget < 0 {
			return min(said, len(ends))
		}
		if _, err := parseNode(d.Text[:ends[last-2]]); err == nil {
			break
		}
	}
	return last
}
