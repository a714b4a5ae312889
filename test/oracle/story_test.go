package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lab"
)

// Stories are disagreements that were found, shrunk, and mended: a mesh and the
// question that it answered wrongly. Each is asked again in every run.
const (
	stories      = "stories"
	questionFile = "question.json"
)

// story writes a disagreement as an archive.
func (f found) story(fault string) *txtar.Archive {
	a := &txtar.Archive{Comment: []byte(f.Question.String() + "\n" + fault + "\n")}
	files := f.World.files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(files[name])})
	}
	q := f.Question.fresh()
	if q.Wire.TLS != nil {
		hand := *q.Wire.TLS
		hand.Certificate, hand.Key = nil, nil
		q.Wire.TLS = &hand
	}
	data, err := json.MarshalIndent(q, "", "  ")
	if err != nil {
		panic(err) // strings and numbers only
	}
	a.Files = append(a.Files, txtar.File{Name: questionFile, Data: append(data, '\n')})
	return a
}

// tell shrinks a disagreement on the running lab, writes its story and shows it.
func (c *court) tell(t *testing.T, seed uint64, f found) {
	fails := func(f found) bool { return c.fault(f) != "" }
	if !fails(f) {
		t.Log("asked once more, it agrees: the disagreement comes and goes, and is not shrunk")
	} else {
		f = shrink(f, fails, 150)
	}
	fault := c.fault(f)
	path := filepath.Join(stories, fmt.Sprintf("seed-%d_%s.txtar", seed, strings.NewReplacer("/", ".", ":", ".").Replace(f.Question.Ask.To.String())))
	text := txtar.Format(f.story(fault))
	if err := os.MkdirAll(stories, 0o755); err == nil {
		err = os.WriteFile(path, text, 0o644)
		t.Logf("written to %s (%v):\n%s", path, err, text)
	}
}

// fault asks one question of a mesh that it makes the lab run.
func (c *court) fault(f found) string {
	result, findings := compiler.Compile(f.World.tree(), ir.Known{}, compiler.Options{NoRules: true})
	if findings.HasErrors() || ir.Decide(result.Mesh, f.Question.Ask).Outcome == ir.Unknown {
		return ""
	}
	if err := c.lab.Apply(f.World.tree()); err != nil {
		return ""
	}
	if err := c.renew(); err != nil {
		return ""
	}
	fault, err := c.once(f.Question)
	if err != nil {
		return ""
	}
	return fault
}

// fresh is the question as if it had not been asked yet.
func (q question) fresh() question {
	if q.ID != "" {
		q.Wire.Bytes = bytes.ReplaceAll(q.Wire.Bytes, []byte(q.ID), []byte(marker))
		q.Wire.Headers = slices.Clone(q.Wire.Headers)
		for i := range q.Wire.Headers {
			if q.Wire.Headers[i].Value == q.ID {
				q.Wire.Headers[i].Value = marker
			}
		}
	}
	q.Wire.Bytes = slices.Clone(q.Wire.Bytes)
	q.ID, q.Wire.ID, q.Wire.Address = "", "", ""
	return q
}

// once asks and judges one question.
func (c *court) once(q question) (string, error) {
	asked := []question{q.fresh()}
	sights, entries, err := c.ask(asked)
	if err != nil {
		return "", err
	}
	if fault := c.judge(asked[0], sights[0]); fault != "" {
		return fault, nil
	}
	return c.connections(entries), nil
}

// What was mended stays mended.
func TestStories(t *testing.T) {
	if testing.Short() {
		t.Skip("runs real Envoys")
	}
	paths, err := filepath.Glob(filepath.Join(stories, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string][]byte{}
			var q question
			for _, f := range archive.Files {
				if f.Name != questionFile {
					files[f.Name] = f.Data
				} else if err := json.Unmarshal(f.Data, &q); err != nil {
					t.Fatal(err)
				}
			}
			c := up(t, lab.Options{Tree: source.FromMap(files)})
			if fault, err := c.once(q); err != nil || fault != "" {
				t.Errorf("%s\n%s %v", q, fault, err)
			}
		})
	}
}
