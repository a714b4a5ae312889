package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshc/meshc/policies"
	mesh "github.com/meshc/meshc/test/bench"
)

// peerRules holds five rules that look across documents, as meshc, and as its
// peers, take them.
const peerRules = "test/bench/peers/rules"

// documents are the sizes of reference meshes, by services.
var documents = map[int]int{197: 1007, 1962: 10027}

// rules judges many documents by many rules: a process from files to findings.
func (b *bench) rules() error {
	b.table.chapter("rules over 10,027 documents, a process from files to findings")
	every, err := b.judged(1962, true)
	if err != nil {
		return err
	}
	runs, err := b.repeat(b.meshc, "check", every)
	if err != nil {
		return err
	}
	n := len(policies.LibraryRules()) + 5
	b.table.add(figure{What: fmt.Sprintf("meshc check, %d rules", n), Unit: "s", Runs: column(runs, wall), Budget: 1})
	b.processes(fmt.Sprintf("meshc check, %d rules", n), runs)
	return nil
}

// judges are peers that judge documents by rules, as they are called for a folder.
var judges = []struct {
	name string
	args []string
}{
	{"conftest", []string{"test", "--combine", "--no-color", "-p", filepath.Join(peerRules, "conftest")}},
	{"gator", []string{"test", "-f", filepath.Join(peerRules, "gator"), "-f"}},
}

// conftest holds meshc against its peers with the same rules and documents, in turn.
func (b *bench) conftest() error {
	b.table.chapter("conftest test --combine, gator test and meshc check: the same five rules, a process from files to findings")
	for _, services := range []int{197, 1962} {
		dir, err := b.judged(services, false)
		if err != nil {
			return err
		}
		runs := map[string][]run{}
		for range b.runs {
			for _, j := range judges {
				r, err := timed(filepath.Join(b.peers, j.name), append(slices.Clone(j.args), filepath.Join(dir, "mesh"))...)
				if err != nil {
					return err
				}
				runs[j.name] = append(runs[j.name], r)
			}
			r, err := timed(b.meshc, "check", dir)
			if err != nil {
				return err
			}
			runs["meshc"] = append(runs["meshc"], r)
		}
		b.compare(fmt.Sprintf("%d documents: ", documents[services]), runs, services == 1962)
	}
	return nil
}

// compare gives the figures of the judges, and what meshc is to them; the budgets are
// of the many documents.
func (b *bench) compare(prefix string, runs map[string][]run, budgets bool) {
	for _, who := range []string{"conftest", "gator", "meshc"} {
		b.table.add(figure{What: prefix + who, Unit: "s", Runs: column(runs[who], wall)})
		b.processes(prefix+who, runs[who])
	}
	faster, memory := 0.0, 0.0
	if budgets {
		faster, memory = 5, 1
	}
	ratio := func(who string, of func(run) float64) float64 {
		return median(column(runs[who], of)) / median(column(runs["meshc"], of))
	}
	b.table.add(figure{What: prefix + "times faster than conftest", Unit: "times", Budget: faster, Least: true, Value: ratio("conftest", wall)})
	b.table.add(figure{What: prefix + "times faster than conftest in processor time", Unit: "times", Value: ratio("conftest", cpu)})
	b.table.add(figure{What: prefix + "times faster than gator", Unit: "times", Value: ratio("gator", wall)})
	b.table.add(figure{What: prefix + "memory against gator's", Unit: "times", Budget: memory, Value: 1 / ratio("gator", peak)})
}

// repeat runs a command as often as a figure wants, and once to warm the disk.
func (b *bench) repeat(name string, args ...string) ([]run, error) {
	var runs []run
	for i := range b.runs + 1 {
		r, err := timed(name, args...)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			runs = append(runs, r)
		}
	}
	return runs, nil
}

func (b *bench) processes(name string, runs []run) {
	b.table.add(figure{What: name + ": processor time", Unit: "s", Runs: column(runs, cpu)})
	b.table.add(figure{What: name + ": peak memory", Unit: "MiB", Runs: column(runs, peak)})
}

// judged writes a reference mesh with the five rules, and with all rules of the
// library or none of them, into a folder.
func (b *bench) judged(services int, library bool) (string, error) {
	dir := filepath.Join(b.work, fmt.Sprintf("policy-%d-%t", services, library))
	if err := mesh.WriteTo(filepath.Join(dir, "mesh"), mesh.RefMesh(services, 64)); err != nil {
		return "", err
	}
	if err := os.CopyFS(filepath.Join(dir, "rules"), os.DirFS(filepath.Join(peerRules, "meshc"))); err != nil {
		return "", err
	}
	var config strings.Builder
	config.WriteString("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: bench}\nspec:\n  rules:\n    dirs: [rules]\n    severity:\n")
	for _, r := range policies.LibraryRules() {
		level := policies.LevelOff
		if library {
			level = policies.LevelInfo
		}
		fmt.Fprintf(&config, "      %s: %s\n", r.Code, level)
	}
	return dir, os.WriteFile(filepath.Join(dir, "meshc.yaml"), []byte(config.String()), 0o644)
}
