package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verdict"
	"github.com/meshc/meshc/compiler/verify"
	"github.com/meshc/meshc/lab"
	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/lab/echo"
)

// court is a running mesh with all that judges it.
type court struct {
	lab      *lab.Lab
	mesh     *ir.Mesh
	compiled *verify.Mesh
	signer   *authority
	asked    int
}

// newCourt judges what a lab runs now; dir is the lab's.
func newCourt(l *lab.Lab, dir string) (*court, error) {
	c := &court{lab: l}
	var err error
	if c.signer, err = meshAuthority(filepath.Join(dir, "state")); err != nil {
		return nil, err
	}
	return c, c.renew()
}

// renew takes up what the lab now runs.
func (c *court) renew() (err error) {
	result := c.lab.Compiled()
	c.mesh = result.Mesh
	c.compiled, err = verdict.Compiled(result.Mesh, result.Plan)
	return err
}

// sight is what was seen of one question.
type sight struct {
	result  caller.Result
	answers []answer
	client  *lab.Entry  // of the client's proxy
	servers []lab.Entry // of the servers' proxies
}

// answer is one HTTP answer.
type answer struct {
	status   int
	workload string // says that it has answered; empty: a proxy did
	seen     *echo.Answer
}

// batchSize is how many questions are sent before the proxies' logs are read.
const batchSize = 100

// ask sends questions and gives what was seen of each.
func (c *court) ask(questions []question) ([]sight, []lab.Entry, error) {
	sights := make([]sight, len(questions))
	byPod, order := map[*lab.Pod][]int{}, []*lab.Pod(nil)
	for i := range questions {
		pod, err := c.address(&questions[i])
		if err != nil {
			return nil, nil, err
		}
		if byPod[pod] == nil {
			order = append(order, pod)
		}
		byPod[pod] = append(byPod[pod], i)
	}
	var errands []lab.Errand
	for _, pod := range order {
		batch := caller.Batch{Parallel: 8}
		for _, i := range byPod[pod] {
			batch.Requests = append(batch.Requests, questions[i].Wire)
		}
		errands = append(errands, lab.Errand{From: pod, Batch: batch})
	}
	results, entries, err := c.lab.Send(errands...)
	if err != nil {
		return nil, nil, err
	}
	for k, pod := range order {
		for n, i := range byPod[pod] {
			sights[i] = look(pod, questions[i], results[k][n], entries)
		}
	}
	return sights, entries, nil
}

// idPrefix begins the id of every question.
const idPrefix = "oracle-"

// address completes a question: an id, where it is dialled, its certificate.
func (c *court) address(q *question) (*lab.Pod, error) {
	c.asked++
	q.ID = fmt.Sprintf("%s%d-", idPrefix, c.asked)
	wire := &q.Wire
	wire.ID = q.ID
	wire.Bytes = bytes.ReplaceAll(wire.Bytes, []byte(marker), []byte(q.ID))
	for i := range wire.Headers {
		if wire.Headers[i].Value == marker {
			wire.Headers = append([]ir.Header(nil), wire.Headers...)
			wire.Headers[i].Value = q.ID
		}
	}
	if q.Cert == "" {
		wire.Address = c.lab.Address(q.Ask.To)
		return c.lab.Client(q.Ask)
	}
	addresses := c.lab.Past(q.Ask.To)
	if len(addresses) == 0 {
		return nil, fmt.Errorf("no workload is behind %s", q.Ask.To)
	}
	wire.Address = addresses[rand.IntN(len(addresses))].String()
	if wire.TLS != nil {
		names := []ir.Identity{q.Ask.From}
		if q.Also != "" {
			names = append(names, q.Also)
		}
		hand, err := c.signer.hand(q.Cert, names)
		if err != nil {
			return nil, err
		}
		hand.ALPN = wire.TLS.ALPN
		wire.TLS = hand
	}
	return c.lab.Client(ir.Request{})
}

// look gathers what is told of one question.
func look(from *lab.Pod, q question, r caller.Result, entries []lab.Entry) sight {
	s := sight{result: r, answers: answers(q, r)}
	ids := []string{q.ID}
	for _, e := range entries {
		// Where the request's own id is not read its proxy has made one.
		if e.Side == "outbound" && e.Pod == from.ID() && q.carriedBy(e, r) && e.RequestID != "" {
			ids = append(ids, e.RequestID)
		}
	}
	for i, e := range entries {
		named := slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(e.RequestID, id) })
		same := q.carriedBy(e, r)
		switch {
		case e.Side == "outbound" && e.Pod == from.ID() && (named || same):
			s.client = &entries[i]
		case e.Side == "inbound" && e.Kind == "http" && (named || same && q.Cert != ""):
			s.servers = append(s.servers, e)
		case e.Side == "inbound" && e.Kind == "tcp" && same && q.Cert != "":
			s.servers = append(s.servers, e)
		}
	}
	return s
}

// carriedBy tells whether an entry is of the connection that the question was sent
// on, where a connection serves one question only. Both of its ends count: a kernel
// gives one local port to connections to two places at a time. And an entry that
// names another question is that one's, whatever its connection was.
func (q question) carriedBy(e lab.Entry, r caller.Result) bool {
	if q.Wire.Kind == caller.HTTP1 || e.From != r.Local || e.Local != r.Remote {
		return false
	}
	return !strings.HasPrefix(e.RequestID, idPrefix) || strings.HasPrefix(e.RequestID, q.ID)
}

// answers reads the HTTP answers of a result, those on the way (1xx) left out.
func answers(q question, r caller.Result) []answer {
	if q.Ask.HTTP == nil && q.Wire.Kind != caller.Raw {
		return nil
	}
	if q.Wire.Kind != caller.Raw {
		if r.Status == 0 {
			return nil
		}
		header := http.Header{}
		for name, values := range r.Headers {
			for _, v := range values {
				header.Add(name, v)
			}
		}
		return []answer{newAnswer(r.Status, header, []byte(r.Body))}
	}
	var out []answer
	in := bufio.NewReader(bytes.NewReader(r.Bytes))
	method := q.Ask.HTTP.Method
	for {
		response, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return out
		}
		if response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		body, _ := io.ReadAll(response.Body)
		out = append(out, newAnswer(response.StatusCode, response.Header, body))
		method = http.MethodGet
	}
}

// grpcStatus is the status of HTTP that a proxy says in the words of gRPC.
var grpcStatus = map[string]int{"7": ir.StatusForbidden, "13": ir.StatusBadRequest, "14": ir.StatusUnavailable}

func newAnswer(status int, header http.Header, body []byte) answer {
	a := answer{status: status, workload: header.Get("X-Echo-Workload")}
	if code := header.Get("Grpc-Status"); code != "" && a.workload == "" {
		a.status = grpcStatus[code]
	}
	var seen echo.Answer
	if a.workload != "" && json.Unmarshal(body, &seen) == nil && seen.Method != "" {
		a.seen = &seen
	}
	return a
}
