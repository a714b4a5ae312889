package follow_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/bundle"
)

// A state folder that cannot be written is shown, and written as soon as it can be:
// a start from an older bundle would bring back what was withdrawn since.
func TestWhatCouldNotBeKeptIsKeptLater(t *testing.T) {
	o := place(t)
	must(t, bundle.Write(o.Bundle, mesh(t, "one", "cluster.local")))
	write(t, o.Catalog, catalogOf("buyer-0"))
	r, _, end := start(t, o)
	r.serves(t, "one", "shop/buyer-0")
	served, away := filepath.Join(o.State, "served"), filepath.Join(o.State, "away")
	must(t, os.Rename(served, away))
	write(t, served, "in the way")
	must(t, bundle.Write(o.Bundle, mesh(t, "two", "cluster.local")))
	r.serves(t, "two", "shop/buyer-0")
	r.until(t, "word of the state folder", func(r *recorder) bool { return strings.Contains(r.degraded["state"], "next start") })
	must(t, os.Remove(served))
	must(t, os.Rename(away, served))
	r.until(t, "end of it", func(r *recorder) bool { return r.degraded["state"] == "" })
	end()

	must(t, os.RemoveAll(o.Bundle))
	r, _, _ = start(t, o)
	r.serves(t, "two", "shop/buyer-0")
}
