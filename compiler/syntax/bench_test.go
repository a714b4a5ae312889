package syntax_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/test/bench"
)

// BenchmarkLoadAndParse is the reading of the reference mesh of 1,000 services,
// from disk to objects. Its floor, the YAML parser alone, is in test/bench.
func BenchmarkLoadAndParse(b *testing.B) {
	dir := b.TempDir()
	for name, data := range bench.RefMesh(1000, 64) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		tree, found, err := source.Load(source.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		files, more := syntax.Parse(tree)
		if len(found)+len(more) > 0 || len(files.Objects) != 5110 {
			b.Fatalf("%d objects, findings %v", len(files.Objects), append(found, more...))
		}
	}
}
