package faults

import (
	"bytes"
	"os"
	"regexp"
	"time"
)

// catalogEdited edits the catalog in ways that no catalog can be meant: the last
// good one stays served, by a server that is started anew too, and the policy goes
// on changing.
func catalogEdited(w *world) {
	path := w.control.path("catalog.yaml")
	good, err := os.ReadFile(path)
	must(w.t, err)
	addresses := regexp.MustCompile(`addresses: \[[^\]]*\]`).FindAll(good, 2)
	for i, edit := range []struct {
		name string
		text []byte
	}{
		{"no YAML", append([]byte("{{ .Values.catalog }}\n\t- ["), good...)},
		{"emptied", nil},
		{"half written", good[:len(good)/2]},
		{"two workloads with one address", bytes.Replace(good, addresses[1], addresses[0], 1)},
		{"a field that does not exist", bytes.Replace(good, []byte("spec:"), []byte("spec:\n  wrkloads: []"), 1)},
		{"gone", nil},
	} {
		w.t.Log(edit.name)
		switch {
		case edit.name == "gone":
			must(w.t, os.Remove(path))
		case i%2 == 0: // as an editor does that writes in place
			must(w.t, os.WriteFile(path, edit.text, 0o600))
		default:
			must(w.t, replaceFile(path, edit.text))
		}
		w.degraded("catalog")
		w.asked(1)
		w.change()
		if i%3 == 1 {
			must(w.t, w.control.restart())
			w.degraded("catalog")
			w.settle()
			w.asked(1)
		}
		cured := time.Now()
		must(w.t, replaceFile(path, good))
		w.well()
		w.either()
		w.publish()
		w.recover(cured)
	}
}
