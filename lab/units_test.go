package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// directives are those that the example's units use, by section; systemd ignores
// a misspelt one with a line in its log.
var directives = map[string][]string{
	"Unit":    {"Description", "After", "Before", "Wants"},
	"Install": {"WantedBy"},
	"Timer":   {"OnCalendar", "RandomizedDelaySec", "Persistent"},
	"Service": {
		"Type", "ExecStart", "ExecStop", "RemainAfterExit", "EnvironmentFile", "User", "Group", "Restart", "RestartSec",
		"StateDirectory", "StateDirectoryMode", "AmbientCapabilities", "CapabilityBoundingSet", "LimitNOFILE",
		"NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp", "ReadWritePaths",
	},
}

func unitNames(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(machinesExample, "systemd"))
	if err != nil || len(entries) < 5 {
		t.Fatalf("%d units: %v", len(entries), err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// What people copy into /etc/systemd/system is what systemd takes.
func TestUnits(t *testing.T) {
	names := unitNames(t)
	for _, name := range names {
		u := readUnit(t, name)
		for section, keys := range u {
			for key := range keys {
				if !slices.Contains(directives[section], key) {
					t.Errorf("%s: [%s] has no %s", name, section, key)
				}
			}
		}
		if strings.HasSuffix(name, ".service") && !strings.HasPrefix(u.value("Service", "ExecStart"), "/") {
			t.Errorf("%s starts %q: systemd wants one absolute path", name, u.value("Service", "ExecStart"))
		}
		for _, other := range append(u["Unit"]["Before"], u["Unit"]["After"]...) {
			for _, o := range strings.Fields(other) {
				if strings.HasPrefix(o, "meshc-") && !slices.Contains(names, o) {
					t.Errorf("%s is ordered by %s, which is not there", name, o)
				}
			}
		}
		if timed, ok := strings.CutSuffix(name, ".timer"); ok && !slices.Contains(names, timed+".service") {
			t.Errorf("%s starts nothing", name)
		}
	}
}

// Where this machine has systemd's own judge, it finds nothing.
func TestUnitsAsSystemdReadsThem(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("this machine has no systemd-analyze: TestUnits reads the units")
	}
	dir := t.TempDir()
	var paths []string
	for _, name := range unitNames(t) {
		// It wants the programs to be there.
		text := strings.ReplaceAll(mustRead(t, filepath.Join(machinesExample, "systemd", name)), "/usr/local/bin/meshc", "/bin/true")
		text = strings.ReplaceAll(text, "/usr/local/bin/envoy", "/bin/true")
		paths = append(paths, filepath.Join(dir, name))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(analyze, append([]string{"verify"}, paths...)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "meshc-") {
		t.Errorf("%v\n%s", err, out)
	}
}
