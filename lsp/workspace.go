package lsp

import (
	"context"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// workspace is the meshes that are looked at, and what has changed since they were
// judged. One goroutine at a time has the turn: it compiles, or asks for a model;
// models never change, so that questions are answered beside each other.
type workspace struct {
	s    *server
	wake chan struct{} // holds one
	turn chan struct{} // holds one

	mu      sync.Mutex
	folders []string
	touched map[string]bool // keys of documents
	all     bool            // everything must be read again

	// With the turn only:
	projects  []*project
	published map[string]published // by key
}

func newWorkspace(s *server) *workspace {
	return &workspace{
		s: s, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		touched: map[string]bool{}, published: map[string]published{},
	}
}

// setFolders changes which folders are open.
func (w *workspace) setFolders(added, removed []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.folders = slices.DeleteFunc(w.folders, func(f string) bool { return slices.Contains(removed, f) })
	for _, f := range added {
		if !slices.Contains(w.folders, f) {
			w.folders = append(w.folders, f)
		}
	}
	w.all = true
}

// touch notes that a document holds something else.
func (w *workspace) touch(key string) {
	w.mu.Lock()
	w.touched[key] = true
	w.mu.Unlock()
	w.signal()
}

// reload notes that files came, went or changed on disk.
func (w *workspace) reload() {
	w.mu.Lock()
	w.all = true
	w.mu.Unlock()
	w.signal()
}

func (w *workspace) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// restless bounds how often typing puts off what is found.
const restless = 20

// loop publishes what is found whenever nothing was typed for a moment.
func (w *workspace) loop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		if !w.quiet(ctx) {
			return
		}
		if w.take(ctx) {
			var models []*model
			_ = w.s.guarded(func() error { // told already
				w.catchUp()
				w.publish(ctx)
				models = w.decoded()
				return nil
			})
			w.give()
			w.foresee(models)
		}
	}
}

// decoded are the models with their objects. It needs the turn.
func (w *workspace) decoded() (out []*model) {
	for _, p := range w.projects {
		if p.model != nil && len(w.wake) == 0 {
			p.model.decode(p.session)
			out = append(out, p.model)
		}
	}
	return out
}

// foresee makes what questions will want, unless more was typed meanwhile.
func (w *workspace) foresee(models []*model) {
	for _, m := range models {
		if len(w.wake) == 0 {
			_ = w.s.guarded(func() error { m.index(); return nil })
		}
	}
}

// quiet waits until nothing was typed for a moment.
func (w *workspace) quiet(ctx context.Context) bool {
	for range restless {
		var quiet <-chan time.Time = w.s.opts.Quiet()
		select {
		case <-ctx.Done():
			return false
		case <-quiet:
			return true
		case <-w.wake:
		}
	}
	return true
}

// take waits for the turn; give gives it back.
func (w *workspace) take(ctx context.Context) bool {
	select {
	case w.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *workspace) give() { <-w.turn }

// catchUp compiles what has changed. It needs the turn. After a defect every mesh
// is read anew with the next change.
func (w *workspace) catchUp() {
	w.mu.Lock()
	touched, all, folders := w.touched, w.all, slices.Clone(w.folders)
	w.touched, w.all = map[string]bool{}, false
	w.mu.Unlock()
	if len(touched) == 0 && !all {
		return
	}
	sound := false
	defer func() {
		if !sound {
			for _, p := range w.projects {
				p.session = nil
			}
		}
	}()
	docs := w.s.docs.all()
	if all {
		w.discover(folders)
	}
	w.adopt(docs)
	now := w.s.opts.Now()
	for _, p := range w.projects {
		p.follow(docs, slices.Sorted(maps.Keys(touched)), all, now)
	}
	w.abandon(docs)
	sound = true
}

// discover finds the meshes of the open folders; those that were known stay.
func (w *workspace) discover(folders []string) {
	var next []*project
	for _, place := range meshes(folders) {
		i := slices.IndexFunc(w.projects, func(p *project) bool { return p.place == place })
		if i >= 0 {
			next = append(next, w.projects[i])
			continue
		}
		if p, err := openProject(place, w.s.opts); err != nil {
			w.s.log.Printf("%s: %v", place.dir, err)
		} else {
			next = append(next, p)
		}
	}
	for _, p := range w.projects {
		switch {
		case slices.Contains(next, p):
		case p.adopted:
			next = append(next, p)
		default:
			p.close()
		}
	}
	w.projects = next
}

// adopt gives a mesh to the documents that no open folder holds: that of the
// folder above which has a meshc.yaml, else one of their own.
func (w *workspace) adopt(docs map[string]*document) {
	for _, key := range slices.Sorted(maps.Keys(docs)) {
		if slices.ContainsFunc(w.projects, func(p *project) bool { return p.covers(key) }) || !manifest(key) {
			continue
		}
		p, err := openProject(placeOf(key), w.s.opts)
		if err != nil {
			w.s.log.Printf("%s: %v", key, err)
			continue
		}
		p.adopted = true
		w.projects = append(w.projects, p)
	}
}

// abandon forgets the adopted meshes of which no document is open any more.
func (w *workspace) abandon(docs map[string]*document) {
	w.projects = slices.DeleteFunc(w.projects, func(p *project) bool {
		if !p.adopted {
			return false
		}
		for key := range docs {
			if p.covers(key) {
				return false
			}
		}
		p.close()
		return true
	})
}

// model is the mesh that a document belongs to, as it is now: the first that holds
// it. nil: none does.
func (w *workspace) model(ctx context.Context, key string) (*model, error) {
	if !w.take(ctx) {
		return nil, ctx.Err()
	}
	defer w.give()
	w.catchUp()
	for _, p := range w.projects {
		if name, ok := p.name(key); ok && p.model != nil && p.model.holds(name) {
			p.model.decode(p.session)
			return p.model, nil
		}
	}
	return nil, nil
}

// models are all meshes, as they are now.
func (w *workspace) models(ctx context.Context) ([]*model, error) {
	if !w.take(ctx) {
		return nil, ctx.Err()
	}
	defer w.give()
	w.catchUp()
	var out []*model
	for _, p := range w.projects {
		if p.model != nil {
			p.model.decode(p.session)
			out = append(out, p.model)
		}
	}
	return out, nil
}

func (w *workspace) close() {
	for _, p := range w.projects {
		p.close()
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
