//! A text → a syntax tree of bounded size and depth.

use std::panic::resume_unwind;
use std::thread;

use sqlparser::ast::{Expr, Ident, OrderByExpr, OrderBySort, Spanned, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::error::{Place, SqlError};

/// The most bytes of a text.
pub const MOST_BYTES: usize = 64 << 10;
/// How deep parentheses, functions and CASE may be nested.
const DEEPEST_NESTING: usize = 40;
/// The most words, operators and parentheses: a chain of operators is as deep a tree as it has operators.
const MOST_OPERATORS: usize = 1_500;

/// The stack for the deepest tree that is accepted, with the large frames of a build without optimization.
const STACK: usize = 128 << 20;

/// Parses and resolves on a stack of its own: a syntax tree is as deep as a chain of operators is long, and is read, printed and
/// dropped by calls that are as deep. Only the pages that are used take memory.
pub(in crate::sql) fn on_deep_stack<T: Send>(
    parse: impl FnOnce() -> Result<T, SqlError> + Send,
) -> Result<T, SqlError> {
    thread::scope(|scope| {
        let parser = thread::Builder::new().name("sql".to_owned()).stack_size(STACK).spawn_scoped(scope, parse);
        match parser {
            Ok(parser) => parser.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(error) => Err(SqlError::of_text(format!("the SQL text cannot be parsed now: {error}"))),
        }
    })
}

/// Parses an expression.
pub(in crate::sql) fn parse_expression(text: &str) -> Result<Expr, SqlError> {
    let mut parser = parser(text)?;
    let expression = parser.parse_expr().map_err(|error| unreadable(text, &error))?;
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(expression),
        Token::SemiColon => Err(SqlError::at(text, place(next.span.start), "an expression ends without a semicolon")),
        token => {
            let message = format!("the expression ended before {token}: an operator such as AND is missing");
            Err(SqlError::at(text, place(next.span.start), message))
        }
    }
}

/// Parses what follows ORDER BY: expressions, and whether each is descending.
pub(in crate::sql) fn parse_order(text: &str) -> Result<Vec<(Expr, bool)>, SqlError> {
    let mut parser = parser(text)?;
    let order = parser.parse_comma_separated(Parser::parse_order_by_expr).map_err(|error| unreadable(text, &error))?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        let message = format!("the order ended before {}: columns are separated by commas", next.token);
        return Err(SqlError::at(text, place(next.span.start), message));
    }
    let part = |OrderByExpr { expr, options, .. }: OrderByExpr| match (options.nulls_first, options.sort) {
        (None, None | Some(OrderBySort::Asc)) => Ok((expr, false)),
        (None, Some(OrderBySort::Desc)) => Ok((expr, true)),
        _ => Err(SqlError::at(text, place_of(&expr), "NULLS FIRST, NULLS LAST and USING are not supported")),
    };
    order.into_iter().map(part).collect()
}

/// The statements of a text, without the semicolons that end them, and without what holds blanks and comments only.
///
/// # Errors
/// [`SqlError`] where a quote or a comment has no end.
pub fn statements(text: &str) -> Result<Vec<&str>, SqlError> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| SqlError::at(text, place(error.location), lower_first(&error.message)))?;
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    // Columns count characters, from 1.
    let offset = |location: Location| {
        let start = starts.get((location.line as usize).saturating_sub(1)).copied().unwrap_or(text.len());
        let line = &text[start..];
        start + line.char_indices().nth((location.column as usize).saturating_sub(1)).map_or(line.len(), |(at, _)| at)
    };
    let (mut statements, mut begin, mut is_blank) = (Vec::new(), 0, true);
    for TokenWithSpan { token, span } in &tokens {
        match token {
            Token::SemiColon => {
                let end = offset(span.start);
                statements.extend(Some(&text[begin..end]).filter(|_| !is_blank));
                (begin, is_blank) = (end + 1, true);
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => is_blank = false,
        }
    }
    statements.extend(Some(&text[begin..]).filter(|_| !is_blank));
    Ok(statements.into_iter().map(str::trim).collect())
}

/// Parses one statement, which may end with a semicolon.
pub(in crate::sql) fn parse_statement(text: &str) -> Result<Statement, SqlError> {
    let mut parser = parser(text)?;
    let statement = parser.parse_statement().map_err(|error| unreadable(text, &error))?;
    while parser.consume_token(&Token::SemiColon) {}
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(statement),
        token => {
            let message = format!("one statement ends before {token}: declare one view at a time");
            Err(SqlError::at(text, place(next.span.start), message))
        }
    }
}

/// The place where a part of the syntax tree begins; unknown for parts that keep none.
pub(in crate::sql) fn place_of(part: &impl Spanned) -> Place {
    place(part.span().start)
}

/// The place of a name.
pub(in crate::sql) fn place_of_ident(name: &Ident) -> Place {
    place(name.span.start)
}

pub(in crate::sql) fn place(location: Location) -> Place {
    Place { line: location.line, column: location.column }
}

fn parser(text: &str) -> Result<Parser<'static>, SqlError> {
    if text.len() > MOST_BYTES {
        let message = format!("the SQL text has {} bytes: at most {MOST_BYTES} are read", text.len());
        return Err(SqlError::of_text(message));
    }
    if text.trim().is_empty() {
        return Err(SqlError::of_text("the SQL text is empty: write an expression such as op = 'DELETE'"));
    }
    const DIALECT: &PostgreSqlDialect = &PostgreSqlDialect {};
    let tokens = Tokenizer::new(DIALECT, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| SqlError::at(text, place(error.location), lower_first(&error.message)))?;
    check_size(text, &tokens)?;
    // sqlparser counts about two calls for each nesting.
    Ok(Parser::new(DIALECT).with_recursion_limit(2 * DEEPEST_NESTING + 20).with_tokens_with_locations(tokens))
}

/// Refuses what would become a tree that is too deep, before it is built.
fn check_size(text: &str, tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let (mut operators, mut nesting) = (0, 0usize);
    for TokenWithSpan { token, span } in tokens {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => nesting += 1,
            Token::RParen | Token::RBracket | Token::RBrace => nesting = nesting.saturating_sub(1),
            Token::Word(_) => {}
            Token::Whitespace(_) | Token::Comma | Token::Period | Token::Number(..) => continue,
            Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) => continue,
            _ => {}
        }
        operators += 1;
        if nesting > DEEPEST_NESTING {
            let message = format!("parentheses are nested deeper than {DEEPEST_NESTING} levels: write it flatter");
            return Err(SqlError::at(text, place(span.start), message));
        }
        if operators > MOST_OPERATORS {
            let message = format!(
                "the expression has more than {MOST_OPERATORS} words and operators: for many values write IN (…)"
            );
            return Err(SqlError::at(text, place(span.start), message));
        }
    }
    Ok(())
}

fn unreadable(text: &str, error: &ParserError) -> SqlError {
    let (ParserError::ParserError(message) | ParserError::TokenizerError(message)) = error else {
        return SqlError::of_text(format!(
            "the SQL text is nested deeper than {DEEPEST_NESTING} levels: write it flatter"
        ));
    };
    let (message, place) = match message.rsplit_once(" at Line: ") {
        Some((message, location)) => (message, read_location(location).unwrap_or_default()),
        None => (message.as_str(), Place::default()),
    };
    // Without a place the text ended too early.
    let lines = text.trim_end().split('\n');
    let end = lines.enumerate().last().map_or(Place::default(), |(line, text)| Place {
        line: line as u64 + 1,
        column: text.chars().count() as u64 + 1,
    });
    let place = if place.line == 0 { end } else { place };
    SqlError::at(text, place, lower_first(message).replace("found: EOF", "found the end of the text"))
}

/// Reads `1, Column: 7`.
fn read_location(text: &str) -> Option<Place> {
    let (line, column) = text.split_once(", Column: ")?;
    Some(Place { line: line.parse().ok()?, column: column.parse().ok()? })
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes_and_comments() {
        let text =
            "CREATE VIEW ä AS SELECT ';ö' x; -- one; two\nCREATE VIEW b AS SELECT \"a;b\" FROM t\n;; /* ; */ -- end";
        assert_eq!(
            statements(text),
            Ok(vec!["CREATE VIEW ä AS SELECT ';ö' x", "-- one; two\nCREATE VIEW b AS SELECT \"a;b\" FROM t"])
        );
        assert_eq!(statements("SELECT 'it''s; one'"), Ok(vec!["SELECT 'it''s; one'"]));
        assert_eq!(statements(" ;\n"), Ok(Vec::new()));
        assert!(statements("SELECT 'no end; ").is_err());
    }

    fn refused(text: &str) -> SqlError {
        parse_expression(text).expect_err(text)
    }

    #[test]
    fn what_is_too_large_or_too_deep_is_refused() {
        let large = "a".repeat(10 << 20);
        let refuse = |_| {
            let started = std::time::Instant::now();
            assert!(refused(&large).message().contains("at most 65536"));
            started.elapsed()
        };
        // A busy machine may hold up some of them.
        let fastest = (0..10).map(refuse).min().expect("some were refused");
        assert!(fastest.as_millis() < 100, "without reading it");
        let nested = |levels: usize| format!("{}1{} = 1", "(".repeat(levels), ")".repeat(levels));
        assert!(parse_expression(&nested(DEEPEST_NESTING)).is_ok());
        for levels in [DEEPEST_NESTING + 1, 10_000] {
            let error = refused(&nested(levels));
            assert_eq!(error.place(), Some(Place { line: 1, column: DEEPEST_NESTING as u64 + 1 }), "{error}");
        }
        for part in
            ["NOT ", "- ", "CASE WHEN ", "a + ", "a AND ", "a::text || ", "array<", "(", "x[", "interval ", "f("]
        {
            let error = refused(&part.repeat(MOST_BYTES / 2 / part.len()));
            assert!(error.to_string().contains("more than") || error.to_string().contains("nested"), "{error}");
            // As many as are accepted, on the stack of a test's thread.
            let _ = parse_expression(&format!("{}1", part.repeat(MOST_OPERATORS / 4)));
        }
    }

    #[test]
    fn what_cannot_be_read_names_the_place() {
        for (text, line, column) in [
            ("op = ", 1, 5),
            ("op = 'x", 1, 6),
            ("op = 'x' 5", 1, 10),
            ("op =\n= 5", 2, 1),
            ("op IN (1, )", 1, 11),
            ("op = 'x';", 1, 9),
        ] {
            assert_eq!(refused(text).place(), Some(Place { line, column }), "{}", refused(text));
        }
        assert_eq!(refused("  \n").place(), None);
    }
}
