package ca

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/meshc/meshc/catalog/state"
	"github.com/meshc/meshc/compiler/ir"
)

// domainFile holds the trust domain: roots that were made elsewhere need not say it.
const domainFile = "trust-domain"

// FolderDomain is the trust domain of the authority in a state folder; empty if
// there is none yet.
func FolderDomain(stateDir string) (string, error) {
	data, err := state.Read(filepath.Join(stateDir, "ca", domainFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

// load reads the folder, or begins a new authority in an empty one. A root that
// is lost beside an intermediate is never replaced silently: every proxy of the
// mesh would stop trusting every other. The folder is locked.
func (a *Authority) load() error {
	if err := a.domain(); err != nil {
		return err
	}
	if a.has(rotationFile) || a.has(rootFile) {
		return a.read()
	}
	if a.has(intermediateFile) {
		return fmt.Errorf("%s is missing beside %s: restore it, or remove both to begin anew with a root that no proxy trusts yet", rootFile, intermediateFile)
	}
	if a.opts.existing {
		return fmt.Errorf("there is no authority in %s", a.dir)
	}
	root, err := a.newRoot(a.opts.Now())
	if err != nil {
		return err
	}
	if _, err := a.keep(rootFile, root, state.Create); err != nil {
		return err
	}
	return a.read()
}

func (a *Authority) has(file string) bool {
	_, err := os.Lstat(filepath.Join(a.dir, file))
	return !errors.Is(err, fs.ErrNotExist)
}

// domain settles the trust domain: the one asked for must be the folder's.
func (a *Authority) domain() error {
	path := filepath.Join(a.dir, domainFile)
	data, err := state.Read(path)
	kept := strings.TrimSpace(string(data))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if a.opts.TrustDomain == "" {
			a.opts.TrustDomain = defaultDomain
		}
		if a.opts.existing {
			return nil
		}
		return a.keepDomain()
	case err != nil:
		return err
	case !ir.ValidTrustDomain(kept):
		return fmt.Errorf("%s holds no trust domain: restore it from a copy", path)
	case a.opts.TrustDomain == "":
		a.opts.TrustDomain = kept
	case a.opts.TrustDomain != kept:
		return fmt.Errorf("the authority in %s is of the trust domain %s, not %s", a.dir, kept, a.opts.TrustDomain)
	}
	return nil
}

func (a *Authority) keepDomain() error {
	return state.Write(filepath.Join(a.dir, domainFile), []byte(a.opts.TrustDomain+"\n"))
}

// read takes what the folder holds. It never makes a root. A rotation whose end
// is written down is put in place first, wherever it was interrupted. The folder
// is locked.
func (a *Authority) read() error {
	now, seen := a.opts.Now(), a.stamp()
	r, err := a.readRotation()
	if err != nil {
		return err
	}
	var current, to *line
	prefix := ""
	if r != nil && r.Step == stepDrop {
		if err := a.settle(); err != nil {
			prefix = next // a folder that cannot be written: what is decided counts
		}
		r, seen = nil, a.stamp()
	}
	if r != nil {
		if to, err = a.readLine(next, now); err != nil {
			return err
		}
	}
	current, err = a.readLine(prefix, now)
	if errors.Is(err, errEnded) && to != nil {
		// Nobody can trust the old root any more, so nobody is waited for.
		r.Step = stepDrop
		if e := a.writeRotation(r); e == nil {
			return a.read()
		}
		current, to, r, err = to, nil, nil, nil
	}
	if err != nil {
		return err
	}
	a.current, a.next, a.rotation, a.seen = current, to, r, seen
	return nil
}

// refresh takes what another process changed in the folder, and keeps what it
// has while that cannot be read.
func (a *Authority) refresh() {
	if a.stamp() == a.seen {
		a.unread = nil
		return
	}
	unlock, err := state.Lock(a.dir)
	if err == nil {
		err = a.read()
		unlock()
	}
	a.unread = err
}

// stamp changes with the files that say who issues and who is trusted.
func (a *Authority) stamp() string {
	var b strings.Builder
	for _, name := range []string{rotationFile, rootFile, intermediateFile, next + intermediateFile} {
		info, err := os.Lstat(filepath.Join(a.dir, name))
		if err != nil {
			b.WriteString("-;")
			continue
		}
		var inode uint64
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			inode = s.Ino
		}
		fmt.Fprintf(&b, "%d %d %d;", inode, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

// settle puts the next line in the place of the current one and forgets the
// rotation. Every step may be repeated; the rotation's file goes last, so that
// an interruption is noticed.
func (a *Authority) settle() error {
	for _, name := range []string{rootFile, intermediateFile, crossFile} {
		data, err := state.Read(filepath.Join(a.dir, next+name))
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != rootFile:
			err = remove(filepath.Join(a.dir, name))
		case err == nil:
			err = state.Write(filepath.Join(a.dir, name), data)
		}
		if err != nil {
			return err
		}
	}
	if err := remove(filepath.Join(a.dir, rotationFile)); err != nil {
		return err
	}
	return a.clear()
}

// clear removes what an earlier rotation, or one that never began, left behind.
func (a *Authority) clear() error {
	var all error
	for _, name := range []string{rootFile, intermediateFile, crossFile} {
		all = errors.Join(all, remove(filepath.Join(a.dir, next+name)))
	}
	return all
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// signer is the line that signs now, its intermediate replaced in time.
func (a *Authority) signer(now time.Time, pick func() *line) (line, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.inTime(now, pick)
	if a.failure != nil && !now.Before(l.intermediate.cert.NotAfter) {
		return line{}, fmt.Errorf("certificate authority: the intermediate has ended and cannot be replaced: %w", a.failure)
	}
	return *l, nil
}

// inTime is a line, its intermediate replaced where it is time to.
func (a *Authority) inTime(now time.Time, pick func() *line) *line {
	a.refresh()
	l := pick()
	if a.failure = nil; !now.Before(renewal(l.intermediate.cert, a.opts.Backdate)) {
		a.failure = a.renew(l, now)
	}
	return l
}

// issuing is the line that signs the leaves of proxies.
func (a *Authority) issuing() *line {
	if a.rotation != nil && a.rotation.Step == StepIssue {
		return a.next
	}
	return a.current
}

// presenting is the line of the control plane's own certificate: the new one as
// soon as those who pin only the old root accept it too.
func (a *Authority) presenting() *line {
	if a.rotation != nil && a.next.cross != nil {
		return a.next
	}
	return a.current
}
