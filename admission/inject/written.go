package inject

import (
	"encoding/json"
	"sync"

	"github.com/meshc/meshc/dataplane/bootstrap"
)

// bootstraps keeps what was written: the pods of a Deployment differ by their name
// and address, which are not in it, and to write one takes longer than all the rest.
type bootstraps struct {
	mu   sync.Mutex
	kept map[string]string // arguments, by options as JSON
}

var written bootstraps

// mostWritten bounds what is kept, some 8 KiB each: whoever makes pods chooses their probes.
const mostWritten = 2048

// argument is the bootstrap of these options in one line, as the kubelet reads it.
// Errors are not kept.
func (b *bootstraps) argument(o bootstrap.Options) (string, error) {
	key, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	had, ok := b.kept[string(key)]
	b.mu.Unlock()
	if ok {
		return had, nil
	}
	raw, err := bootstrap.Line(o)
	if err != nil {
		return "", err
	}
	out := expandable.Replace(string(raw))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept == nil || len(b.kept) >= mostWritten {
		b.kept = map[string]string{}
	}
	b.kept[string(key)] = out
	return out, nil
}
