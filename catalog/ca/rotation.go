package ca

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/meshc/meshc/catalog/state"
)

// rotationFile says that the root is being replaced, and how far that is. It is
// the one file whose rename moves a rotation on.
const rotationFile = "rotation.json"

// Step of a rotation of the root.
type Step string

// The steps, in their order.
const (
	StepTrust Step = "trust" // both roots are trusted, the old one issues
	StepIssue Step = "issue" // both are trusted, the new one issues
	stepDrop  Step = "drop"  // only the new one counts: files are being put in place
)

// Rotation is a replacement of the root that is under way.
type Rotation struct {
	Step    Step      `json:"step"`
	Started time.Time `json:"started"`
	Since   time.Time `json:"since"` // of the step
	From    string    `json:"from"`  // the old root's fingerprint
	To      string    `json:"to"`
	// MaxWait bounds how long a step waits for proxies; 0 is for ever.
	MaxWait time.Duration `json:"maxWait,omitempty"`
	// Cross: the control plane's certificate leads to both roots, so machines may
	// pin either. Repinned: somebody said that they all pin the new one.
	Cross     bool     `json:"cross"`
	Repinned  bool     `json:"repinned,omitempty"`
	Forgotten []string `json:"forgotten,omitempty"` // proxies that it does not wait for
	Left      []string `json:"left,omitempty"`      // proxies that it waited for in vain
	Waiting   []Wait   `json:"waiting,omitempty"`   // whom the step waits for, as last reported

	Proxies map[string]sighting `json:"proxies,omitempty"`
}

// Wait is something that holds a step up.
type Wait struct {
	Proxy  string `json:"proxy"` // workload, or identity and address; empty for the pins of machines
	Reason string `json:"reason"`
}

// sighting is what a server last knew of a proxy.
type sighting struct {
	Done   bool      `json:"done"`
	Seen   time.Time `json:"seen"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
}

// Seen is what a server knows of one connected proxy in the present step.
type Seen struct {
	Proxy  string // its workload, or what else tells it from others
	Done   bool   // it has acknowledged what the step asks for
	Reason string // why not
}

// stale is how old a sighting may be until it tells nothing of the present. A
// server repeats those that hold a step up three times as often.
const stale = time.Minute

// Rotation is the rotation under way, as this process last saw it, with the
// trust bundle in PEM and the name of the issuer that belong to its step.
func (a *Authority) Rotation() (r Rotation, roots []byte, issuer string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refresh()
	if a.rotation == nil {
		return Rotation{}, a.roots(), a.issuing().issuer(), false
	}
	return *a.rotation, a.roots(), a.issuing().issuer(), true
}

// Report tells a rotation what a server sees: expected are the proxies that must
// come, connected or not. It moves the rotation on when nobody is waited for.
// Several servers may report of one folder; a proxy that one of them lately saw
// unfinished is finished only when that one says so, or has not for a minute.
func (a *Authority) Report(of Rotation, expected []string, seen []Seen) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	unlock, err := state.Lock(a.dir)
	if err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	defer unlock()
	r, err := a.readRotation()
	if err != nil || r == nil || r.Step != of.Step || r.To != of.To {
		return err // another server was faster: the next look at the folder shows it
	}
	now := a.opts.Now()
	changed := r.note(a.name, expected, seen, now)
	if r.done(now, a.opts.Settle) {
		r.advance(now)
		changed = true
	}
	if !changed {
		return nil
	}
	if err := a.writeRotation(r); err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	if err := a.read(); err != nil {
		return err
	}
	if err := a.publish(); err != nil {
		return fmt.Errorf("certificate authority: the rotation waits, as others cannot be told of it: %w", err)
	}
	return nil
}

// note takes sightings over and finds whom to wait for. It tells whether
// anything is worth writing down.
func (r *Rotation) note(by string, expected []string, seen []Seen, now time.Time) bool {
	changed := false
	if r.Proxies == nil {
		r.Proxies = map[string]sighting{}
	}
	here := map[string]bool{}
	for _, s := range seen {
		here[s.Proxy] = true
		old, known := r.Proxies[s.Proxy]
		age := now.Sub(old.Seen)
		if s.Done && known && !old.Done && old.By != by && age < stale {
			continue
		}
		if !known || old.Done != s.Done || old.Reason != s.Reason || !s.Done && age > stale/3 {
			r.Proxies[s.Proxy] = sighting{s.Done, now, by, s.Reason}
			changed = true
		}
	}
	must := map[string]bool{}
	for _, name := range expected {
		must[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(r.Proxies)) {
		p := r.Proxies[name]
		switch {
		case p.Done:
		case p.By == by && !here[name], now.Sub(p.Seen) >= stale: // it has left
			delete(r.Proxies, name)
			changed = true
		default:
			must[name] = true
		}
	}
	waiting := r.waits(slices.Sorted(maps.Keys(must)))
	changed = changed || !slices.Equal(waiting, r.Waiting)
	r.Waiting = waiting
	return changed
}

func (r *Rotation) waits(names []string) []Wait {
	var out []Wait
	for _, name := range names {
		p := r.Proxies[name]
		switch {
		case p.Done || slices.Contains(r.Forgotten, name):
		case p.Seen.IsZero():
			out = append(out, Wait{name, "it is not connected"})
		default:
			out = append(out, Wait{name, p.Reason})
		}
	}
	if r.Step == StepIssue && !r.Cross && !r.Repinned {
		out = append(out, Wait{"", "machines that pin the old root could not connect any more: put the new root there, then say `meshc ca rotate --repinned`"})
	}
	return out
}

// done tells whether a step may end. Every server has seen it begin by then.
func (r *Rotation) done(now time.Time, settle time.Duration) bool {
	age := now.Sub(r.Since)
	if age < settle {
		return false
	}
	late := r.MaxWait > 0 && age > r.MaxWait
	return !slices.ContainsFunc(r.Waiting, func(w Wait) bool { return w.Proxy == "" || !late })
}

func (r *Rotation) advance(now time.Time) {
	for _, w := range r.Waiting {
		if !slices.Contains(r.Left, w.Proxy) {
			r.Left = append(r.Left, w.Proxy)
		}
	}
	r.Step, r.Since, r.Proxies, r.Waiting = map[Step]Step{StepTrust: StepIssue, StepIssue: stepDrop}[r.Step], now, nil, nil
}

func (a *Authority) readRotation() (*Rotation, error) {
	path := filepath.Join(a.dir, rotationFile)
	data, err := state.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Rotation{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Step != StepTrust && r.Step != StepIssue && r.Step != stepDrop {
		return nil, fmt.Errorf("%s: %q is not a step", path, r.Step)
	}
	return r, nil
}

func (a *Authority) writeRotation(r *Rotation) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return state.Write(filepath.Join(a.dir, rotationFile), append(data, '\n'))
}
