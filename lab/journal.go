package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"sync"
)

// Entry is one line of an Envoy's access log: a request or a TCP connection.
type Entry struct {
	Pod string `json:"-"` // whose Envoy

	Kind      string `json:"meshc"` // http, tcp
	Side      string `json:"side"`  // inbound, outbound
	Port      string `json:"port"`  // NS/SVC:PORT
	RequestID string `json:"request_id"`
	Method    string `json:"method"`
	Path      string `json:"path"`
	Authority string `json:"authority"`
	Protocol  string `json:"protocol"`
	Status    int    `json:"status"`
	Flags     string `json:"flags"`
	Details   string `json:"details"`
	Peer      string `json:"peer"` // SPIFFE id of the client's certificate
	Policy    string `json:"policy"`
	Shadow    string `json:"shadow_policy"`
	ShadowIs  string `json:"shadow_result"`
	Route     string `json:"route"`
	Cluster   string `json:"cluster"`
	Upstream  string `json:"upstream"`
	From      string `json:"downstream"`
	Local     string `json:"local"`
	BytesIn   int64  `json:"bytes_in"`
	BytesOut  int64  `json:"bytes_out"`
	Chain     string `json:"chain"`
}

// journalSize is how many entries are kept; a run of a verdict table that
// watches a share needs some thousands.
const journalSize = 100_000

// journal is the access logs of all of a lab's Envoys, in order of arrival.
type journal struct {
	mu      sync.Mutex
	entries []Entry
	dropped int           // entries that are no longer kept
	grown   chan struct{} // closed and replaced at each new entry
}

func newJournal() *journal { return &journal{grown: make(chan struct{})} }

// follow reads one Envoy's standard output until it ends; what is no entry of the
// access log goes to rest.
func (j *journal) follow(pod string, r io.Reader, rest io.Writer) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		e := Entry{Pod: pod}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Kind == "" {
			rest.Write(append(lines.Bytes(), '\n'))
			continue
		}
		j.add(e)
	}
}

func (j *journal) add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) >= journalSize {
		half := len(j.entries) / 2
		j.entries, j.dropped = append([]Entry(nil), j.entries[half:]...), j.dropped+half
	}
	j.entries = append(j.entries, e)
	close(j.grown)
	j.grown = make(chan struct{})
}

// mark is a place in the journal, for since.
func (j *journal) mark() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped + len(j.entries)
}

// since gives the entries after a mark, the mark behind them, and what is closed
// when there is more.
func (j *journal) since(mark int) (entries []Entry, next int, more <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := max(0, mark-j.dropped)
	return j.entries[min(from, len(j.entries)):], j.dropped + len(j.entries), j.grown
}

// await reads on from a mark until enough says so or the context ends.
func (j *journal) await(ctx context.Context, mark int, enough func(Entry) bool) error {
	for {
		entries, next, more := j.since(mark)
		for _, e := range entries {
			if enough(e) {
				return nil
			}
		}
		mark = next
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
