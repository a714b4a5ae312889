package protocol

import "encoding/json"

// Kinds of symbols, as the protocol numbers them.
const (
	SymbolModule    = 2
	SymbolNamespace = 3
	SymbolClass     = 5
	SymbolMethod    = 6
	SymbolInterface = 11
	SymbolFunction  = 12
	SymbolKey       = 20
	SymbolEvent     = 24
	SymbolOperator  = 25
)

// DocumentSymbol is a thing in a document, and what is in it.
type DocumentSymbol struct {
	Name           string           `json:"name"`
	Detail         string           `json:"detail,omitempty"`
	Kind           int              `json:"kind"`
	Range          Range            `json:"range"`
	SelectionRange Range            `json:"selectionRange"`
	Children       []DocumentSymbol `json:"children,omitempty"`
}

// SymbolParams are those of workspace/symbol.
type SymbolParams struct {
	Query string `json:"query"`
}

// SymbolInformation is a thing in the workspace.
type SymbolInformation struct {
	Name          string   `json:"name"`
	Kind          int      `json:"kind"`
	Location      Location `json:"location"`
	ContainerName string   `json:"containerName,omitempty"`
}

// Kinds of completions, as the protocol numbers them.
const (
	CompleteField     = 5
	CompleteClass     = 7
	CompleteInterface = 8
	CompleteModule    = 9
	CompleteProperty  = 10
	CompleteValue     = 12
	CompleteEnum      = 13
	CompleteReference = 18
)

// CompletionList is complete: more letters only narrow it.
type CompletionList struct {
	IsIncomplete bool             `json:"isIncomplete"`
	Items        []CompletionItem `json:"items"`
}

// CompletionItem is one text that may be inserted.
type CompletionItem struct {
	Label         string    `json:"label"`
	Kind          int       `json:"kind"`
	Detail        string    `json:"detail,omitempty"`
	Documentation *Markup   `json:"documentation,omitempty"`
	SortText      string    `json:"sortText,omitempty"`
	FilterText    string    `json:"filterText,omitempty"`
	TextEdit      *TextEdit `json:"textEdit,omitempty"`
}

// CodeActionParams are those of textDocument/codeAction.
type CodeActionParams struct {
	TextDocument DocumentID `json:"textDocument"`
	Range        Range      `json:"range"`
	Context      struct {
		Only []string `json:"only,omitempty"`
	} `json:"context"`
}

// The kinds of actions.
const (
	QuickFix = "quickfix"
	FixAll   = "source.fixAll"
)

// CodeAction mends or explains what was found: an edit or a command.
type CodeAction struct {
	Title       string         `json:"title"`
	Kind        string         `json:"kind"`
	Diagnostics []Diagnostic   `json:"diagnostics,omitempty"`
	IsPreferred bool           `json:"isPreferred,omitempty"`
	Edit        *WorkspaceEdit `json:"edit,omitempty"`
	Command     *Command       `json:"command,omitempty"`
}

// Command is run by the server when the user picks it.
type Command struct {
	Title     string   `json:"title"`
	Command   string   `json:"command"`
	Arguments []string `json:"arguments,omitempty"`
}

// CommandParams are those of workspace/executeCommand.
type CommandParams struct {
	Command   string            `json:"command"`
	Arguments []json.RawMessage `json:"arguments,omitempty"`
}

// Place is what may be renamed, and how it is called now.
type Place struct {
	Range       Range  `json:"range"`
	Placeholder string `json:"placeholder"`
}
