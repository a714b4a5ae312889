package diag

import (
	"fmt"
	"io"
	"sort"
	"strings"
)

// Sources gives the text of a file that spans point into; ok is false when it
// is not at hand, and frames are then left out.
type Sources func(file string) (text []byte, ok bool)

// Report is what a renderer is given: the findings of one run, in order, and
// where their text can be read.
type Report struct {
	Findings List
	Sources  Sources
	Color    bool
	Summary  string   // one closing line of the text form, may be empty
	FailOn   Severity // the least severity that fails the run
	Tool     string   // version of meshc
	// Steps takes what a format cannot show in its own limits, as GitHub's step
	// summary; nil: there is no such place.
	Steps io.Writer
}

// Renderer writes a report in one format.
type Renderer func(w io.Writer, r Report) error

// renderers is every format there is; a new one is a file and a line here.
var renderers = map[string]Renderer{
	"text":     renderText,
	"compact":  renderCompact,
	"json":     renderJSON,
	"ndjson":   renderNDJSON,
	"sarif":    renderSARIF,
	"junit":    renderJUnit,
	"github":   renderGitHub,
	"gitlab":   renderGitLab,
	"markdown": renderMarkdown,
}

// Formats lists the names RendererFor knows.
func Formats() []string {
	names := make([]string, 0, len(renderers))
	for n := range renderers {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// RendererFor finds a format.
func RendererFor(format string) (Renderer, error) {
	r, ok := renderers[format]
	if !ok {
		return nil, fmt.Errorf("format %q is none of %s", format, strings.Join(Formats(), ", "))
	}
	return r, nil
}
