package ir

// Request is one question to a mesh: may FROM reach TO like this?
type Request struct {
	From Identity // empty: outside, dialled in plain without an identity
	To   PortID
	// External is HOST:PORT of something outside the mesh (egress); To is then zero.
	External string
	// Direct: dialled past the client's proxy, at each workload's own address, with
	// From's certificate. It is not split, and the server's proxy alone judges it.
	Direct bool
	HTTP   *HTTPRequest // nil: raw bytes
}

// HTTPRequest is a request as the client sends it; Path may hold a query.
type HTTPRequest struct {
	Method  string
	Path    string
	Headers []Header // each line by itself, names in any case
}

// Header is one line.
type Header struct{ Name, Value string }

// Outcome is the answer in one word.
type Outcome string

// The outcomes. Mixed: some leaves of weight above 0 pass it, some do not.
const (
	Allow   Outcome = "allow"
	Deny    Outcome = "deny"
	Mixed   Outcome = "mixed"
	Unknown Outcome = "unknown"
)

// Verdict is the answer with its cause.
type Verdict struct {
	Outcome Outcome
	// Status is what an HTTP client is answered by a proxy: 0 when the workload
	// answers or it depends on the leaf, else 400, 403 or 503. For raw bytes it
	// is 0: they are closed.
	Status int
	// By names the grants (or ByPermissive, ByAudit, ...) that let it through, sorted;
	// empty when the lack of a grant does.
	By []string
	// Reason is one sentence that names the object, or what is missing.
	Reason string
	// Near are sentences on the grants that came close, when the lack of one decides.
	Near   []string
	Leaves []Leaf
}

// Leaf is one backend and account that a share of the requests goes to.
type Leaf struct {
	Service ServiceID
	Account Identity // empty: no known account
	Weight  uint32   // of the backend, as in Split; 1 without a split
	Outcome Outcome
	Status  int // as in Verdict, of this share
	By      []string
	Reason  string
	Near    []string
}

// Names that stand for a cause that is no grant, in By, policies and access logs.
const (
	ByPermissive = "Mode/permissive" // permissive mode let it through
	ByAudit      = "Mode/audit"      // audit mode let it through for lack of a grant
	ByPlaintext  = "Plaintext/allow" // the destination takes clients without a certificate
	ByEgress     = "Egress/allow"    // the source's namespace may leave the mesh
)

// What a proxy answers by itself to an HTTP request.
const (
	StatusBadRequest  = 400 // a path that it does not accept
	StatusForbidden   = 403 // no grant
	StatusNotFound    = 404 // no route
	StatusUnavailable = 503 // nobody to send it to
)
