//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/test/cluster/app/load"
)

// An account that was granted nothing is let in within a second, and refused again when
// the time is over, though nobody ends it; a second one is ended early. Whatever others
// ask meanwhile is answered as ever.
func TestBreakGlass(t *testing.T) {
	install(t)
	namespaces(t, "shop")
	manifests, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(manifests), "apply", "-f", "-")
	pods(t, "shop")
	settled(t)
	steady := start(t, "shop", "deploy/client", append(asked.granted[:len(asked.granted):len(asked.granted)], asked.beyond...)...)
	opened := asked.stranger[0] // HTTP to web:80
	opened.Every = 10 * time.Millisecond
	others := start(t, "shop", "deploy/stranger", asked.stranger[1:]...)
	lent := start(t, "shop", "deploy/stranger", opened)
	time.Sleep(time.Second) // it is refused for a while

	said := meshc(t, "breakglass", "allow", "shop/stranger", "shop/web:80", "--for", "20s", "--reason", "INC-1234")
	record, _, _ := strings.Cut(said, ":")
	if out := meshc(t, "breakglass", "list"); !strings.Contains(out, record) || !strings.Contains(out, "Active") || !strings.Contains(out, "INC-1234") {
		t.Errorf("what is open is listed as\n%s", out)
	}
	state := func(want string) func() bool {
		return func() bool {
			_, name, _ := strings.Cut(record, "/")
			return kubectl(t, "", "-n", "shop", "get", "breakglass", name, "-o", "jsonpath={.status.state}") == want
		}
	}
	until(t, "it is over by itself", state("Ended"))
	first := windowOf(t, record)
	time.Sleep(2 * time.Second) // refused for a while

	said = meshc(t, "breakglass", "allow", "shop/stranger", "shop/web:80", "--for", "1h", "--reason", "INC-1235")
	record, _, _ = strings.Cut(said, ":")
	second := windowOf(t, record)
	second.to = time.Now()
	meshc(t, "breakglass", "end", record)
	time.Sleep(2 * time.Second) // refused for a while

	tally := lent.end()[opened.Name]
	t.Logf("%d requests by the stranger: %d reached, %d refused, %d broken", tally.Sent, tally.Reached, tally.Refused, tally.Broken)
	if tally.Broken > 0 {
		t.Errorf("%d requests were neither allowed nor refused: %v", tally.Broken, tally.Examples)
	}
	judgeWindows(t, tally.Turns, first, second)
	for name, n := range map[string]string{"BreakGlassBegan": "INC-1234", "BreakGlassEnded": "is over"} {
		if out := kubectl(t, "", "-n", "shop", "get", "events", "--field-selector", "reason="+name, "-o", "jsonpath={.items[*].message}"); !strings.Contains(out, n) {
			t.Errorf("the events %s say %q", name, out)
		}
	}
	answers := steady.end()
	for _, f := range asked.granted {
		only(t, answers[f.Name], "reached")
	}
	for _, f := range asked.beyond {
		only(t, answers[f.Name], "refused")
	}
	strange := others.end()
	for _, f := range asked.stranger[1:] {
		only(t, strange[f.Name], "refused")
	}
	refusedAtTheDoor(t)
}

// window is when something was written to be open, and when it was to end or was ended.
type window struct{ from, to time.Time }

// windowOf reads a record, whose times are cut to the second.
func windowOf(t *testing.T, record string) window {
	t.Helper()
	ns, name, _ := strings.Cut(record, "/")
	created, until, ok := strings.Cut(kubectl(t, "", "-n", ns, "get", "breakglass", name, "-o", "jsonpath={.metadata.creationTimestamp} {.spec.until}"), " ")
	if !ok {
		t.Fatalf("the record %s does not say from when to when", record)
	}
	from, err := time.Parse(time.RFC3339, created)
	if err != nil {
		t.Fatal(err)
	}
	to, err := time.Parse(time.RFC3339, until)
	if err != nil {
		t.Fatal(err)
	}
	return window{from, to}
}

// judgeWindows holds the answers against the windows: refused, reached, refused and so on,
// each turn within a second of when it was due. Times of records are cut to the second.
func judgeWindows(t *testing.T, turns []load.Turn, windows ...window) {
	t.Helper()
	var want []time.Time
	for _, w := range windows {
		want = append(want, w.from, w.to)
	}
	if len(turns) != len(want)+1 {
		t.Fatalf("the answers turned %d times, want %d: %v", len(turns)-1, len(want), turns)
	}
	kinds := []string{"refused", "reached"}
	for i, turn := range turns {
		if turn.Kind != kinds[i%2] {
			t.Fatalf("turn %d is to %s, want %s", i, turn.Kind, kinds[i%2])
		}
		if i == 0 {
			continue
		}
		late := turn.At.Sub(want[i-1])
		t.Logf("%s at %s, %s after the record's second", turn.Kind, turn.At.Format("15:04:05.000"), late.Round(time.Millisecond))
		if late < 0 || late > 2*time.Second {
			t.Errorf("%s %s after the second of the record, want at most one second after it is over", turn.Kind, late)
		}
	}
}

// refusedAtTheDoor: what cannot be opened is told at once, and nothing is written.
func refusedAtTheDoor(t *testing.T) {
	t.Helper()
	for code, args := range map[string][]string{
		"MSH1103": {"shop/stranger", "shop/web:80", "--for", "5h"},
		"MSH1104": {"shop/stranger", "shop/nobody", "--for", "1m"},
	} {
		out, err := try(append([]string{"breakglass", "allow", "--reason", "none"}, args...)...)
		if err == nil || !strings.Contains(out, code) {
			t.Errorf("breakglass allow %v says %q, %v; want %s", args, out, err, code)
		}
	}
	kubectl(t, "", "patch", "mesh", "mesh", "--type=merge", "-p", `{"spec": {"breakGlass": {"longest": "0s"}}}`)
	until(t, "nothing may be opened", func() bool {
		out, err := try("breakglass", "allow", "shop/stranger", "shop/web:80", "--for", "1s", "--reason", "none")
		return err != nil && strings.Contains(out, "MSH1103")
	})
}
