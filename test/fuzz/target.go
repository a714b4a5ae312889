package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// target is one fuzz test.
type target struct {
	dir  string // of its package, relative to the root, with slashes
	name string
}

func (t target) String() string { return t.dir + "." + t.name }

var declaration = regexp.MustCompile(`(?m)^func (Fuzz[A-Z]\w*)\(\w+ \*testing\.F\)`)

// find lists the fuzz tests below a folder, in order of path.
func find(root string) ([]target, error) {
	var out []target
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		for _, m := range declaration.FindAllSubmatch(text, -1) {
			out = append(out, target{filepath.ToSlash(dir), string(m[1])})
		}
		return err
	})
	return out, err
}

// result is what the fuzzing engine said of a target.
type result struct {
	executions         int
	interesting, fresh int
	output             string
}

var (
	progress = regexp.MustCompile(`execs: (\d+) .*new interesting: (\d+) \(total: (\d+)\)`)
	written  = regexp.MustCompile(`Failing input written to (\S+)`)
	late     = regexp.MustCompile(`(?m)^--- FAIL: .*\n    context deadline exceeded\nFAIL$`)
	seeded   = regexp.MustCompile(`failure while testing seed corpus entry: (\S+)`)
)

// run fuzzes for a time, and ends at the first failure, which is an error.
func (t target) run(root string, each time.Duration, workers int, progressTo io.Writer) (result, error) {
	args := []string{"test", "./" + t.dir, "-run=^$", "-fuzz=^" + t.name + "$", "-fuzztime=" + each.String(), "-fuzzminimizetime=20x", "-timeout=0"}
	if workers > 0 {
		args = append(args, "-parallel="+strconv.Itoa(workers))
	}
	fmt.Fprintf(progressTo, "%-44s runs for %s\n", t, each)
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	r := result{output: output.String()}
	for _, m := range progress.FindAllStringSubmatch(r.output, -1) { // the last one counts
		r.executions, _ = strconv.Atoi(m[1])
		r.fresh, _ = strconv.Atoi(m[2])
		r.interesting, _ = strconv.Atoi(m[3])
	}
	switch {
	case err != nil && r.outOfTime():
		return r, nil
	case err == nil && r.executions == 0:
		err = fmt.Errorf("nothing was executed")
	}
	return r, err
}

// outOfTime tells whether the engine failed for nothing but that the target's time
// was over, which it does now and then when a worker is busy at the end. A failure of
// the target names an input, and a worker that died says so.
func (r result) outOfTime() bool {
	return r.executions > 0 && late.MatchString(r.output) && !written.MatchString(r.output) && !seeded.MatchString(r.output)
}

// failure is what the target said, and where the input lies.
func (r result) failure(t target) string {
	out := strings.TrimRight(r.output, "\n")
	if m := written.FindStringSubmatch(r.output); m != nil {
		out += fmt.Sprintf("\n\nthe input: %s\nonce more:  go test ./%s -run '^%s$/%s'", t.dir+"/"+m[1], t.dir, t.name, filepath.Base(m[1]))
	} else if m := seeded.FindStringSubmatch(r.output); m != nil {
		where := t.dir + "/testdata/fuzz/" + m[1]
		if strings.Contains(m[1], "/seed#") {
			where = m[1] + ", by f.Add in " + t.dir
		}
		out += fmt.Sprintf("\n\nthe input: %s\nonce more:  go test ./%s -run '^%s$'", where, t.dir, m[1])
	}
	return out
}
