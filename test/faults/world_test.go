package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab"
)

// world is a running mesh with its control plane, its clients and their judge.
type world struct {
	t       *testing.T
	random  *rand.Rand
	quick   bool // as few rounds as show the point
	lab     *lab.Lab
	control *control
	judge   *judge

	policies [2]*policy
	current  int // which of them was published last
	revision int
	slowest  time.Duration // of the recoveries of this scenario
}

// patience is how long anything may take that a test waits for.
const patience = 3 * time.Minute

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newWorld brings the mesh up and lets its clients ask.
func newWorld(t *testing.T, bin string, seed uint64) *world {
	t.Helper()
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 4))}
	for i, swap := range []string{"client", "thief"} {
		p, err := compilePolicy(swap)
		must(t, err)
		w.policies[i] = p
	}
	dir, err := os.MkdirTemp("", "meshc-faults")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, mountState(filepath.Join(dir, "state")))
	t.Cleanup(func() { unmountState(filepath.Join(dir, "state")) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w.lab, err = lab.Up(ctx, lab.Options{Tree: w.policies[0].tree, Dir: filepath.Join(dir, "lab"), Rootless: rootless(),
		Plane: func(site lab.Site) (lab.Plane, error) {
			w.control, err = newControl(bin, dir, site)
			return w.control, err
		}})
	if err != nil && w.control != nil {
		log, _ := os.ReadFile(w.control.path("serve.log"))
		t.Logf("%s", log)
	}
	must(t, err)
	t.Cleanup(func() { w.lab.Down() })
	w.ask()
	return w
}

// ask starts the clients; they ask until the test ends.
func (w *world) ask() {
	w.t.Helper()
	outside, err := w.lab.Client(ir.Request{})
	must(w.t, err)
	all := questions(w.address)
	w.judge, err = newJudge(all, w.policies[:]...)
	must(w.t, err)
	w.judge.expect(w.policies[0])
	for _, a := range askers {
		pod := outside
		if a.account != "" {
			pod, err = w.lab.Topology().Find(a.pod)
			must(w.t, err)
		}
		own := slices.DeleteFunc(slices.Clone(all), func(q question) bool { return q.Pod != a.pod })
		must(w.t, w.load(pod, own))
	}
}

// address is where a service port is dialled: its first virtual address.
func (w *world) address(id ir.PortID) string {
	for _, s := range w.lab.Topology().Services {
		if s.ID == id.Service {
			return net.JoinHostPort(s.Addresses[0].String(), strconv.Itoa(int(id.Port)))
		}
	}
	w.t.Fatalf("no service %s runs", id.Service)
	return ""
}

// load asks questions in a pod until the test ends.
func (w *world) load(pod *lab.Pod, asked []question) error {
	text, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	stdin, keep, err := os.Pipe()
	if err != nil {
		return err
	}
	read, stdout, err := os.Pipe()
	if err != nil {
		return err
	}
	if _, err := keep.Write(append(text, '\n')); err != nil {
		return err
	}
	ended, t := make(chan struct{}), w.t
	go func() {
		defer close(ended)
		code, err := w.lab.Exec(pod, []string{itself(), loadRole}, stdin, stdout, os.Stderr)
		stdin.Close()
		stdout.Close()
		if err != nil || code != 0 {
			t.Errorf("the clients in %s ended with %d: %v", pod.ID(), code, err)
		}
	}()
	go func() {
		lines := json.NewDecoder(read)
		for {
			var a answer
			if lines.Decode(&a) != nil {
				return
			}
			w.judge.take(a)
		}
	}()
	t.Cleanup(func() { keep.Close(); <-ended; read.Close() })
	return nil
}

// itself is this program's path, which is the same in pods.
func itself() string {
	path, err := os.Executable()
	if err != nil {
		return "/proc/self/exe"
	}
	return path
}

// meshed are the pods with a proxy.
func (w *world) meshed() []string {
	var out []string
	for _, p := range w.lab.Topology().Pods {
		out = append(out, p.ID())
	}
	return out
}

// touches are the questions that need a pod's proxy.
func touches(pod string) func(question) bool {
	return func(q question) bool {
		return q.Pod == pod || slices.Contains(servers, pod) && strings.HasPrefix(pod, q.To.Service.String()+"-")
	}
}

// asked waits until every question was asked n times more.
func (w *world) asked(n uint64) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	must(w.t, w.judge.untilAsked(n, ctx.Done()))
}

// publish puts the other policy where the server finds it.
func (w *world) publish() {
	w.t.Helper()
	w.current = 1 - w.current
	w.revision++
	b, err := w.policies[w.current].pack("r" + strconv.Itoa(w.revision))
	must(w.t, err)
	must(w.t, w.control.publish(b))
}

// either says that the policy is about to change: both may rule.
func (w *world) either() { w.judge.expect(w.policies[w.current], w.policies[1-w.current]) }

// change publishes the other policy; it rules once every proxy has acknowledged.
func (w *world) change() {
	w.t.Helper()
	w.either()
	w.publish()
	w.settle()
}

// settle waits for every proxy's acknowledgement: from then on only what was
// published last may rule.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	must(w.t, w.control.AwaitAcks(ctx, w.meshed()))
	w.judge.expect(w.policies[w.current])
}

// recover waits until every proxy has what was published last and every question
// was answered, and notes how long that took since the fault ended.
func (w *world) recover(since time.Time, ends ...func()) {
	w.t.Helper()
	w.settle()
	for _, end := range ends {
		end()
	}
	w.asked(1)
	w.slowest = max(w.slowest, time.Since(since))
}

// degraded waits until the server says that something newer is not served.
func (w *world) degraded(what string) {
	w.t.Helper()
	w.until(what+" is refused", func(st status) bool {
		return slices.ContainsFunc(st.Degraded, func(d degradation) bool { return d.What == what })
	})
}

// well waits until the server serves the newest of everything.
func (w *world) well() {
	w.t.Helper()
	w.until("nothing is refused", func(st status) bool { return len(st.Degraded) == 0 })
}

func (w *world) until(what string, ok func(status) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	must(w.t, w.control.until(ctx, what, ok))
}

// pod finds a pod by its ID.
func (w *world) pod(id string) *lab.Pod {
	w.t.Helper()
	p, err := w.lab.Topology().Find(id)
	must(w.t, err)
	return p
}

// inPod runs this program in a pod in one of its roles.
func (w *world) inPod(id string, args ...string) {
	w.t.Helper()
	null, err := os.Open(os.DevNull)
	must(w.t, err)
	defer null.Close()
	if code, err := w.lab.Exec(w.pod(id), append([]string{itself()}, args...), null, os.Stderr, os.Stderr); err != nil || code != 0 {
		w.t.Fatalf("%v in %s ended with %d: %v", args, id, code, err)
	}
}

// table prints rows in columns.
func table(head []string, rows [][]string) string {
	width := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	var b bytes.Buffer
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			if i == 0 || i == len(row)-1 {
				fmt.Fprintf(&b, "%-*s  ", width[i], cell)
			} else {
				fmt.Fprintf(&b, "%*s  ", width[i], cell)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
