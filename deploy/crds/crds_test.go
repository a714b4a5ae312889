package crds_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshc/meshc/deploy/crds"
)

var update = flag.Bool("update", false, "write the definitions")

// The files are what the table says: who applies them and who embeds them get the same.
func TestGenerated(t *testing.T) {
	made, err := crds.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		for _, f := range made {
			if err := os.WriteFile(f.Name, f.Text, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join("..", "chart", "crds", f.Name), f.Text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	files, err := crds.Files()
	if err != nil || len(files) != len(made) {
		t.Fatalf("%d files, the table has %d kinds (%v): run make golden", len(files), len(made), err)
	}
	for n, f := range files {
		if f.Name != made[n].Name || !bytes.Equal(f.Text, made[n].Text) {
			t.Errorf("%s is not what the table says: run make golden", f.Name)
		}
		chart, err := os.ReadFile(filepath.Join("..", "chart", "crds", f.Name))
		if err != nil || !bytes.Equal(chart, f.Text) {
			t.Errorf("the chart's %s is not the same (%v): run make golden", f.Name, err)
		}
	}
}
