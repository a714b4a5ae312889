package lab

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshc/meshc/compiler/source"
)

func TestExamplesLive(t *testing.T) {
	dirs, _ := filepath.Glob("../examples/0*")
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			tree, _, err := source.Load(source.Options{Paths: []string{dir}})
			if err != nil {
				t.Fatal(err)
			}
			l, err := Up(context.Background(), Options{Tree: tree})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Down()
			r, err := l.Test(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			r.Print(os.Stdout)
			if r.Failed() > 0 {
				t.Errorf("%d cases failed", r.Failed())
			}
		})
	}
}
