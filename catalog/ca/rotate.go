package ca

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/catalog/state"
)

// begin writes down that the root is being replaced by that of another line. On
// an error nothing has begun. The folder is locked.
func (a *Authority) begin(to *line, step Step, maxWait time.Duration) error {
	now := a.opts.Now()
	r := &Rotation{Step: step, Started: now.UTC(), Since: now.UTC(), To: fingerprint(to.root.cert), MaxWait: maxWait}
	if err := a.clear(); err != nil {
		return err
	}
	if _, err := a.keep(next+rootFile, to.root, state.Write); err != nil {
		return err
	}
	if to.intermediate.cert != nil {
		if _, err := a.keep(next+intermediateFile, to.intermediate, state.Write); err != nil {
			return err
		}
	}
	if a.current != nil {
		r.From = fingerprint(a.current.root.cert)
		if to.cross = a.crossTo(to, now); to.cross != nil {
			r.Cross = true
			if err := state.Write(filepath.Join(a.dir, next+crossFile), certPEM(to.cross)); err != nil {
				return err
			}
		}
	}
	return a.writeRotation(r)
}

// RotateOptions say how a rotation is to go. The zero value begins one.
type RotateOptions struct {
	Root     time.Duration  // life of the new root; ten years if zero
	MaxWait  *time.Duration // nil leaves it
	Forget   []string       // proxies that are not waited for any more
	Repinned bool           // all machines pin the new root
	Cancel   bool           // take it back; the rest does not count then
}

// Changes tells whether the options are for a rotation that is under way.
func (o RotateOptions) Changes() bool { return len(o.Forget) > 0 || o.Repinned || o.Cancel }

// Rotate begins to replace the root of a state folder by a new one, or changes
// how a rotation that is under way goes on. The servers of the folder do the rest.
func Rotate(stateDir string, opts Options, o RotateOptions) (Description, error) {
	opts.Root = cmp.Or(o.Root, opts.Root)
	return edit(stateDir, opts, func(a *Authority) error {
		if a.rotation != nil {
			return a.steer(o)
		}
		if o.Changes() {
			return errors.New("no rotation is under way")
		}
		root, err := a.newRoot(a.opts.Now())
		if err != nil {
			return err
		}
		var wait time.Duration
		if o.MaxWait != nil {
			wait = *o.MaxWait
		}
		return a.begin(&line{prefix: next, root: root}, StepTrust, wait)
	})
}

func (a *Authority) steer(o RotateOptions) error {
	r := *a.rotation
	if o.Cancel {
		return a.cancel(&r)
	}
	if !o.Changes() && o.MaxWait == nil {
		return fmt.Errorf("a rotation is under way since %s (step %s): it ends before another begins", r.Started.Format(time.RFC3339), r.Step)
	}
	for _, name := range o.Forget {
		if !slices.ContainsFunc(r.Waiting, func(w Wait) bool { return w.Proxy == name && name != "" }) {
			return fmt.Errorf("%q is not waited for: %s", name, r.whom())
		}
		if !slices.Contains(r.Forgotten, name) {
			r.Forgotten = append(r.Forgotten, name)
		}
	}
	slices.Sort(r.Forgotten)
	r.Waiting = slices.DeleteFunc(slices.Clone(r.Waiting), func(w Wait) bool {
		return slices.Contains(r.Forgotten, w.Proxy) || o.Repinned && w.Proxy == ""
	})
	if o.MaxWait != nil {
		r.MaxWait = *o.MaxWait
	}
	r.Repinned = r.Repinned || o.Repinned
	return a.writeRotation(&r)
}

// cancel throws the new root away. Nothing was issued by it before the step issue;
// then its leaves are in use, and the way back would be as long as the way on.
func (a *Authority) cancel(r *Rotation) error {
	if r.Step != StepTrust {
		return fmt.Errorf("the new root issues since %s, so the rotation cannot be taken back: let it end", r.Since.Format(time.RFC3339))
	}
	if err := remove(filepath.Join(a.dir, rotationFile)); err != nil {
		return err
	}
	return a.clear() // what stays after a crash, the next rotation removes
}

// whom lists whom a step waits for.
func (r *Rotation) whom() string {
	var names []string
	for _, w := range r.Waiting {
		if w.Proxy != "" {
			names = append(names, w.Proxy)
		}
	}
	if len(names) == 0 {
		return "no proxy is"
	}
	return "these are: " + strings.Join(names, ", ")
}

// edit changes a state folder's authority under its lock.
func edit(stateDir string, opts Options, change func(*Authority) error) (Description, error) {
	opts.existing = true
	a, unlock, err := lock(stateDir, opts)
	if err != nil {
		return Description{}, err
	}
	defer unlock()
	if err := a.load(); err != nil {
		return Description{}, fmt.Errorf("certificate authority: %w", err)
	}
	if err := change(a); err != nil {
		return Description{}, fmt.Errorf("certificate authority: %w", err)
	}
	if err := a.read(); err != nil {
		return Description{}, fmt.Errorf("certificate authority: %w", err)
	}
	return a.describe(), nil
}
