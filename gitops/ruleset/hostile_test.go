package ruleset

import (
	"strings"
	"testing"
)

// An archive that says other than its manifest, in any way, is refused whole.
func TestSetsThatAreNotWholeAreRefused(t *testing.T) {
	set, err := Pack(map[string][]byte{"a.rego": []byte("package a\n")})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(map[string][]byte)
		want   string
	}{
		"no manifest":  {func(f map[string][]byte) { delete(f, manifestName) }, "holds no ruleset.json"},
		"no JSON":      {func(f map[string][]byte) { f[manifestName] = []byte("{") }, "cannot be read"},
		"later format": {func(f map[string][]byte) { f[manifestName] = []byte(`{"format":2}`) }, "format is 2"},
		"altered":      {func(f map[string][]byte) { f["rules/a.rego"] = []byte("package b\n") }, `"a.rego" is not the one`},
		"missing":      {func(f map[string][]byte) { delete(f, "rules/a.rego") }, `"a.rego" is not the one`},
		"added":        {func(f map[string][]byte) { f["rules/b.rego"] = nil }, `does not name the file "rules/b.rego"`},
		"beside":       {func(f map[string][]byte) { f["b.rego"] = nil }, `does not name the file "b.rego"`},
		"out of it": {func(f map[string][]byte) {
			f[manifestName] = []byte(`{"format":1,"files":[{"path":"../a.rego","digest":""}]}`)
		}, "no name of a file"},
	} {
		files := set.packed()
		c.change(files)
		if _, err := unpack(files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := unpack(set.packed()); err != nil {
		t.Error(err)
	}
	for name, files := range map[string]map[string][]byte{
		"nothing":    {},
		"no rego":    {"a.yaml": nil},
		"out of it":  {"../a.rego": nil},
		"absolute":   {"/a.rego": nil},
		"too large":  {"a.rego": make([]byte, maxBytes+1)},
		"not a name": {"a.rego": nil, `a\b`: nil},
	} {
		if _, err := Pack(files); err == nil {
			t.Errorf("%s is packed", name)
		}
	}
}
