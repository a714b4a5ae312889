package follow

import (
	"os"
	"syscall"

	"github.com/meshc/meshc/catalog/file"
)

func (f *Follower) catalogChanged() <-chan struct{} {
	if f.provider == nil {
		return nil
	}
	return f.provider.Changed()
}

// catalogAgain takes the provider's newest snapshot, or opens a catalog that
// could not be opened before.
func (f *Follower) catalogAgain(s Server) {
	if f.provider == nil {
		p, err := f.openCatalog()
		if err != nil {
			f.catalogFault(s, err, "the last good one is served")
			return
		}
		f.provider = p
	}
	snap, err := f.provider.Snapshot(), f.provider.Err()
	if err != nil {
		f.catalogFault(s, err, "what was served stays served")
	} else if _, was := f.degraded["catalog"]; was {
		f.degrade("catalog", "", nil)
		f.show(s)
	}
	if snap != f.snapshot {
		f.snapshot = snap
		f.Supply(s)
	}
}

func (f *Follower) openCatalog() (Catalog, error) {
	if f.opts.Open != nil {
		return f.opts.Open(f.bundle)
	}
	p, err := file.OpenWith(f.opts.Catalog, file.Options{Log: f.opts.Log})
	if err != nil {
		return nil, err // and no provider that is a nil pointer
	}
	return p, nil
}

// catalogFault shows why the catalog is not taken, unless that is known already:
// who mends one fault and makes another must see the new one.
func (f *Follower) catalogFault(s Server, err error, instead string) {
	refused := invalid(err)
	reason := whyNot("catalog", f.opts.Catalog, refused, err) + ": " + instead
	if f.degraded["catalog"].reason != reason {
		f.degrade("catalog", reason, refused)
		f.show(s)
	}
}

// inode tells a file from another one of the same name, size and time.
func inode(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
