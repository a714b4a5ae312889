package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// children are what this program does when it is started by itself.
var children = map[string]func([]string) error{
	"child-floor":  floor,
	"child-serve":  serve,
	"child-proxy":  proxy,
	"child-listen": listen,
}

// run is one run of a process.
type run struct {
	wall, cpu float64 // seconds; cpu is user and system
	peak      float64 // MiB of memory, at most
}

// timed runs a command to its end.
func timed(name string, args ...string) (run, error) {
	cmd := exec.Command(name, args...)
	var said bytes.Buffer
	cmd.Stderr = &tail{&said}
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start).Seconds()
	if err != nil {
		return run{}, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said.Bytes())
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return run{wall: wall, cpu: cpu.Seconds(), peak: float64(used.Maxrss) / 1024}, nil
}

// tail keeps the end of what a process said.
type tail struct{ kept *bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.kept.Write(p)
	if most := 4096; t.kept.Len() > most {
		t.kept.Next(t.kept.Len() - most)
	}
	return len(p), nil
}

// itself is this program as a child in a role.
func itself(role string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = "/proc/self/exe"
	}
	return exec.Command(self, append([]string{role}, args...)...)
}

func column(runs []run, of func(run) float64) []float64 {
	out := make([]float64, len(runs))
	for i, r := range runs {
		out[i] = of(r)
	}
	return out
}

func wall(r run) float64 { return r.wall }
func cpu(r run) float64  { return r.cpu }
func peak(r run) float64 { return r.peak }
