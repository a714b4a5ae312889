package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	mesh "github.com/meshc/meshc/test/bench"
)

// saves is how many files are edited, and edited back, one after the other.
const saves = 24

// watches edits files under `meshc check --watch`, as an editor saves them, and takes
// what it prints of how long an answer took, from the kernel's first notice on.
func (b *bench) watches() error {
	files := mesh.RefMesh(1000, 64)
	dir := filepath.Join(b.work, "watch")
	if err := mesh.WriteTo(dir, files); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "meshc.yaml"), []byte("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: bench}\nspec: {sources: [.]}\n"), 0o644); err != nil {
		return err
	}
	cmd := exec.Command(b.meshc, "check", "--watch", dir)
	said, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	answers := make(chan float64)
	go tellAnswers(said, answers)
	if _, err := answer(answers); err != nil {
		return err
	}
	var all, whole []float64
	for i := range saves {
		name, text := kindOfEdit(files, i)
		for _, text := range [][]byte{text, files[name]} {
			start := time.Now()
			if err := save(filepath.Join(dir, name), text); err != nil {
				return err
			}
			ms, err := answer(answers)
			if err != nil {
				return err
			}
			all, whole = append(all, ms), append(whole, float64(time.Since(start).Microseconds())/1000)
		}
	}
	b.table.chapter(fmt.Sprintf("check --watch on ref-mesh(1000) with the default rules: %d edits of eight kinds", len(all)))
	b.table.add(figure{What: "an answer, as it prints it", Unit: "ms", Runs: all, Budget: 100})
	b.table.add(figure{What: "the slowest", Unit: "ms", Value: slices.Max(all), Budget: 100})
	b.table.add(figure{What: "from the save to the line that is printed", Unit: "ms", Runs: whole})
	return nil
}

// kindOfEdit is a file and another text of it: of a match, a split, a port, a path, a
// workload, a target, a name that is nowhere, or a line that moves all others.
func kindOfEdit(files map[string][]byte, i int) (name string, text []byte) {
	edits := [][2]string{
		{"methods: [POST, PUT]", "methods: [POST, PUT, PATCH]"}, {"weight: 90", "weight: 80"}, {"port: 80\n", "port: 81\n"},
		{"pathRegex: /admin\n", "pathRegex: /admin/.*\n"}, {"replicas: 2", "replicas: 3"}, {"matches: [read, write, hdr]", "matches: [read, write]"},
		{"kind: HTTPRouteGroup\n    name: ", "kind: HTTPRouteGroup\n    name: no-"}, {"", "# a line\n"},
	}
	edit := edits[i%len(edits)]
	names := slices.Sorted(maps.Keys(files))
	for k := range names {
		name = names[(i*37+k)%len(names)]
		if before := string(files[name]); strings.Contains(before, edit[0]) {
			return name, []byte(strings.Replace(before, edit[0], edit[1], 1))
		}
	}
	return name, append([]byte("# a line\n"), files[name]...)
}

// save writes a file as editors do: beside it, and then over it.
func save(name string, text []byte) error {
	if err := os.WriteFile(name+".tmp", text, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}

var answered = regexp.MustCompile(`answered in ([0-9.]+) ms`)

// tellAnswers tells how long each answer took, until the program ends.
func tellAnswers(said io.Reader, answers chan<- float64) {
	defer close(answers)
	lines := bufio.NewScanner(said)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := answered.FindStringSubmatch(lines.Text()); m != nil {
			ms, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				return
			}
			answers <- ms
		}
	}
}

func answer(answers <-chan float64) (float64, error) {
	select {
	case ms, open := <-answers:
		if !open {
			return 0, fmt.Errorf("meshc check --watch ended")
		}
		return ms, nil
	case <-time.After(time.Minute):
		return 0, fmt.Errorf("meshc check --watch did not answer within a minute")
	}
}
