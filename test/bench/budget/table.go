package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// figure is one line of the table: the median of its runs.
type figure struct {
	What   string    `json:"what"`
	Value  float64   `json:"value"`
	Unit   string    `json:"unit"`
	Runs   []float64 `json:"runs,omitempty"`
	Budget float64   `json:"budget,omitempty"` // at most this, or at least it; 0: none
	Least  bool      `json:"atLeast,omitempty"`
	Met    *bool     `json:"met,omitempty"`
	Note   string    `json:"note,omitempty"`
}

// machine is where and of what the figures are.
type machine struct {
	Date       string `json:"date"`
	Revision   string `json:"revision"`
	Go         string `json:"go"`
	System     string `json:"system"`
	Processor  string `json:"processor"`
	Processors int    `json:"processors"`
	MemoryMiB  int    `json:"memoryMiB"`
	LoadBefore string `json:"loadBefore"`
	LoadAfter  string `json:"loadAfter"`
}

type table struct {
	Machine machine  `json:"machine"`
	Figures []figure `json:"figures"`
	out     io.Writer
	title   string // not printed yet
}

func (t *table) start(out io.Writer) {
	t.out = out
	revision, _ := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	t.Machine = machine{
		Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Revision: strings.TrimSpace(string(revision)),
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.NumCPU(),
		Processor: field("/proc/cpuinfo", "model name"), LoadBefore: load(),
	}
	kib, _, _ := strings.Cut(field("/proc/meminfo", "MemTotal"), " ")
	n, _ := strconv.Atoi(kib)
	t.Machine.MemoryMiB = n / 1024
	m := t.Machine
	fmt.Fprintf(out, "meshc %s, %s, %s\n%d processors (%s), %d MiB, load %s, %s\n\n", m.Revision, m.Go, m.System, m.Processors, m.Processor, m.MemoryMiB, m.LoadBefore, m.Date)
}

// chapter has the figures that follow stand under a title.
func (t *table) chapter(title string) { t.title = title }

// add prints a figure. Its value is the median of the runs, if there are any.
func (t *table) add(f figure) figure {
	if len(f.Runs) > 0 {
		f.Value = median(f.Runs)
	}
	verdict := ""
	if f.Budget > 0 {
		met := f.Value <= f.Budget
		if f.Least {
			met = f.Value >= f.Budget
		}
		f.Met = &met
		verdict = map[bool]string{true: "ok", false: "MISSED"}[met]
	}
	t.Figures = append(t.Figures, f)
	if t.title != "" {
		fmt.Fprintf(t.out, "\n%s\n", t.title)
		t.title = ""
	}
	spread, budget := "", ""
	if len(f.Runs) > 1 {
		spread = number(slices.Min(f.Runs)) + " .. " + number(slices.Max(f.Runs))
	}
	if f.Budget > 0 {
		budget = map[bool]string{true: ">= ", false: "<= "}[f.Least] + number(f.Budget)
	}
	line := fmt.Sprintf("  %-68s %9s %-6s %-18s %-10s %-6s %s", f.What, number(f.Value), f.Unit, spread, budget, verdict, f.Note)
	fmt.Fprintln(t.out, strings.TrimRight(line, " "))
	return f
}

func (t *table) end() {
	t.Machine.LoadAfter = load()
	missed := 0
	for _, f := range t.Figures {
		if f.Met != nil && !*f.Met {
			missed++
		}
	}
	fmt.Fprintf(t.out, "\nload at the end %s; budgets missed: %d\n", t.Machine.LoadAfter, missed)
	if busy(t.Machine.LoadBefore) || busy(t.Machine.LoadAfter) {
		fmt.Fprintln(t.out, "the machine was busy with other work: times are longer than it takes, ratios and processor time hold better")
	}
}

func (t *table) write(path string) error {
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func median(runs []float64) float64 {
	sorted := slices.Sorted(slices.Values(runs))
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}

// number has three digits that count.
func number(v float64) string {
	switch {
	case v >= 100 || v == float64(int(v)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// load is the load average of the last minute.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func busy(load string) bool {
	v, err := strconv.ParseFloat(load, 64)
	return err == nil && v > 1.5*float64(runtime.NumCPU())
}

// field is a line of a file of the kernel's, by the name before its colon.
func field(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
