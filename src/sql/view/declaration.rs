//! The clauses of a declaration.

use std::collections::HashSet;

use sqlparser::ast::{
    CreateTableOptions, CreateView, Expr, Function as FunctionSyntax, GroupByExpr, ObjectName, Query, Select,
    SelectItem, SetExpr, Statement, TableFactor, TableWithJoins, Value, ValueWithSpan,
};

use super::aggregate::{Aggregate, aggregate, as_aggregate, unnested};
use super::name::ViewName;
use super::plan::{GroupColumn, Output, SelectColumn, ViewPlan, ViewSource};
use crate::change::TableName;
use crate::sql::error::{Place, SqlError};
use crate::sql::expression::Expression;
use crate::sql::resolve::{Resolver, folded};
use crate::sql::text::{on_deep_stack, parse_statement, place_of, place_of_ident};

const FORM: &str = "declare a view as CREATE VIEW name AS SELECT … FROM … WHERE … GROUP BY …";

impl ViewPlan {
    /// Parses a declaration.
    ///
    /// # Errors
    /// [`SqlError`] with the place and the alternative.
    pub fn parse(text: &str) -> Result<ViewPlan, SqlError> {
        on_deep_stack(|| parse(text))
    }
}

fn parse(text: &str) -> Result<ViewPlan, SqlError> {
    let statement = parse_statement(text)?;
    let Statement::CreateView(view) = statement else {
        return Err(SqlError::at(text, Place { line: 1, column: 1 }, format!("this is no view: {FORM}")));
    };
    let name = view_name(text, &view)?;
    let select = plain_select(text, &view.query)?;
    let mut resolver = Resolver::new(text);
    let source = source(&resolver, select)?;
    let filter = select.selection.as_ref().map(|condition| resolver.condition(condition)).transpose()?;
    let items = items(&resolver, select)?;
    let groups = groups(&mut resolver, select, &items)?;
    let (groups, aggregates, select) = outputs(&mut resolver, &items, groups)?;
    Ok(ViewPlan { name, source, filter, groups, aggregates, select, columns: resolver.columns })
}

fn view_name(text: &str, view: &CreateView) -> Result<ViewName, SqlError> {
    let place = view.name.0.first().and_then(|part| part.as_ident()).map(place_of_ident).unwrap_or_default();
    let refused = |message: &str| SqlError::at(text, place, format!("{message}: {FORM}"));
    if view.or_alter || view.or_replace || view.if_not_exists {
        return Err(refused("OR REPLACE and IF NOT EXISTS are not supported: drop the view first"));
    }
    if view.materialized || view.temporary || view.secure {
        return Err(refused("MATERIALIZED and TEMPORARY are not supported: every view is kept"));
    }
    let has_options = !matches!(view.options, CreateTableOptions::None) || view.to.is_some() || view.params.is_some();
    if has_options || !view.cluster_by.is_empty() || view.comment.is_some() || view.with_no_schema_binding {
        return Err(refused("a view has no options"));
    }
    if !view.columns.is_empty() {
        return Err(refused("names of columns stand in the SELECT list, as in count(*) AS orders"));
    }
    let [part] = view.name.0.as_slice() else {
        return Err(refused("a view has no schema"));
    };
    let name = part.as_ident().map(folded).unwrap_or_default();
    ViewName::parse(&name).map_err(|message| SqlError::at(text, place, message))
}

/// The one SELECT of a view, without clauses that it cannot have.
fn plain_select<'s>(text: &str, query: &'s Query) -> Result<&'s Select, SqlError> {
    let refused = |place: Place, message: &str| Err(SqlError::at(text, place, message));
    let begin = place_of(query);
    if query.with.is_some() {
        return refused(begin, "WITH is not supported: a view is one SELECT from changes");
    }
    if let Some(order) = &query.order_by {
        return refused(place_of(order), "ORDER BY is not supported in a view: order the rows when reading them");
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return refused(begin, "LIMIT, OFFSET and FETCH are not supported in a view: limit the rows when reading them");
    }
    if !query.locks.is_empty()
        || query.for_clause.is_some()
        || query.settings.is_some()
        || query.format_clause.is_some()
        || !query.pipe_operators.is_empty()
    {
        return refused(begin, "FOR UPDATE and similar clauses are not supported in a view");
    }
    let select = match query.body.as_ref() {
        SetExpr::Select(select) => select,
        SetExpr::SetOperation { .. } => {
            return refused(begin, "UNION, INTERSECT and EXCEPT are not supported: declare a view for each SELECT");
        }
        _ => return refused(begin, &format!("a view is one SELECT: {FORM}")),
    };
    let place = place_of(select.as_ref());
    if let Some(having) = &select.having {
        return refused(place_of(having), "HAVING is not supported in a view: filter the rows when reading them");
    }
    if select.distinct.is_some() {
        return refused(place, "SELECT DISTINCT is not supported: GROUP BY the columns, with count(*)");
    }
    if !select.named_window.is_empty() || select.qualify.is_some() {
        return refused(place, "window functions are not supported in a view");
    }
    let has_more = select.into.is_some()
        || select.top.is_some()
        || select.prewhere.is_some()
        || select.exclude.is_some()
        || !select.lateral_views.is_empty()
        || !select.connect_by.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || select.value_table_mode.is_some();
    match has_more {
        true => refused(place, &format!("a view has no other clauses: {FORM}")),
        false => Ok(select),
    }
}

fn source(resolver: &Resolver<'_>, select: &Select) -> Result<ViewSource, SqlError> {
    let place = place_of(select);
    let [TableWithJoins { relation, joins }] = select.from.as_slice() else {
        let message = "a view reads FROM changes, or from one table such as shop.\"order\": joins are not supported";
        return Err(resolver.error(place, message));
    };
    if !joins.is_empty() {
        let message = "joins are not supported: a view sees one change at a time; join views when reading them";
        return Err(resolver.error(place_of(relation), message));
    }
    let TableFactor::Table { name, alias, args, .. } = relation else {
        let message = "subqueries are not supported: a view reads FROM changes, or from one table";
        return Err(resolver.error(place_of(relation), message));
    };
    if alias.is_some() || args.is_some() {
        let message = "aliases and functions in FROM are not supported: values are new.x, old.x and key.x";
        return Err(resolver.error(place_of(relation), message));
    }
    named_source(resolver, name, place_of(relation))
}

fn named_source(resolver: &Resolver<'_>, name: &ObjectName, place: Place) -> Result<ViewSource, SqlError> {
    let parts: Option<Vec<String>> = name.0.iter().map(|part| part.as_ident().map(folded)).collect();
    match parts.as_deref() {
        Some([changes]) if changes == "changes" => Ok(ViewSource::AllChanges),
        Some([schema, table]) => Ok(ViewSource::Table(TableName { schema: schema.clone(), table: table.clone() })),
        Some([table]) => {
            let message =
                format!("name the table with its schema, as in public.{table}, or read FROM changes for all tables");
            Err(resolver.error(place, message))
        }
        _ => Err(resolver.error(place, "a table is named by its schema and its name, as in shop.\"order\"")),
    }
}

/// An item of the SELECT list.
struct Item<'s> {
    syntax: &'s Expr,
    /// The name that it is given, or that follows from it.
    name: Option<String>,
    /// Whether the name is an alias.
    is_alias: bool,
}

fn items<'s>(resolver: &Resolver<'_>, select: &'s Select) -> Result<Vec<Item<'s>>, SqlError> {
    let item = |item: &'s SelectItem| match item {
        SelectItem::UnnamedExpr(syntax) => Ok(Item { syntax, name: implied_name(syntax), is_alias: false }),
        SelectItem::ExprWithAlias { expr, alias } => {
            Ok(Item { syntax: expr, name: Some(folded(alias)), is_alias: true })
        }
        _ => {
            let message = "SELECT * is not supported: name the group columns and the aggregates";
            Err(resolver.error(place_of(item), message))
        }
    };
    select.projection.iter().map(item).collect()
}

/// The name that PostgreSQL gives to a column: that of the column, of the function, or of what is cast.
fn implied_name(syntax: &Expr) -> Option<String> {
    match unnested(syntax) {
        Expr::Identifier(name) => Some(folded(name)),
        Expr::CompoundIdentifier(parts) => parts.last().map(folded),
        Expr::Function(FunctionSyntax { name, .. }) => name.0.last()?.as_ident().map(folded),
        Expr::Cast { expr, .. } => implied_name(expr),
        Expr::Extract { .. } => Some("extract".to_owned()),
        Expr::Substring { .. } => Some("substring".to_owned()),
        Expr::Case { .. } => Some("case".to_owned()),
        _ => None,
    }
}

/// The expressions of GROUP BY; as in PostgreSQL also an item's number, or its alias where no column has this name.
fn groups(resolver: &mut Resolver<'_>, select: &Select, items: &[Item<'_>]) -> Result<Vec<Expression>, SqlError> {
    let expressions = match &select.group_by {
        GroupByExpr::Expressions(expressions, modifiers) if modifiers.is_empty() => expressions,
        _ => {
            let message = "GROUP BY ALL, ROLLUP and CUBE are not supported: list the group columns";
            return Err(resolver.error(place_of(&select.group_by), message));
        }
    };
    let mut groups: Vec<Expression> = Vec::new();
    for syntax in expressions {
        let item = match unnested(syntax) {
            Expr::Value(ValueWithSpan { value: Value::Number(number, _), span }) => {
                let place = crate::sql::text::place(span.start);
                let item = number.parse::<usize>().ok().and_then(|number| items.get(number.checked_sub(1)?));
                let message = format!("GROUP BY {number}: the SELECT list has {} columns", items.len());
                Some(item.ok_or_else(|| resolver.error(place, message))?)
            }
            Expr::Identifier(name) if crate::sql::columns::EventColumn::named(&folded(name)).is_none() => {
                items.iter().find(|item| item.is_alias && item.name.as_deref() == Some(&folded(name)))
            }
            _ => None,
        };
        let syntax = item.map_or(syntax, |item| item.syntax);
        if let Some(function) = as_aggregate(syntax) {
            return Err(resolver.error(place_of(function), "an aggregate cannot be a group column"));
        }
        let group = resolver.value(syntax)?;
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    Ok(groups)
}

type Outputs = (Vec<GroupColumn>, Vec<Aggregate>, Vec<SelectColumn>);

/// The columns of the view: each is a group column or an aggregate, and each group column is among them.
fn outputs(resolver: &mut Resolver<'_>, items: &[Item<'_>], groups: Vec<Expression>) -> Result<Outputs, SqlError> {
    let (mut aggregates, mut select) = (Vec::new(), Vec::<SelectColumn>::new());
    let mut names: Vec<Option<String>> = vec![None; groups.len()];
    let mut used = HashSet::new();
    for Item { syntax, name, .. } in items {
        let place = place_of(*syntax);
        let Some(name) = name.clone().filter(|name| !name.is_empty()) else {
            return Err(resolver.error(place, "this column needs a name, as in … AS amount"));
        };
        if !used.insert(name.clone()) {
            return Err(resolver.error(place, format!("two columns are named {name}: name one with AS")));
        }
        let output = match as_aggregate(syntax) {
            Some(function) => {
                aggregates.push(aggregate(resolver, function)?);
                Output::Aggregate(aggregates.len() - 1)
            }
            None if contains_aggregate(syntax) => {
                let message =
                    "a column is one aggregate or one group column: compute with aggregates when reading the view";
                return Err(resolver.error(place, message));
            }
            None => {
                let value = resolver.value(syntax)?;
                let Some(place_of_group) = groups.iter().position(|group| *group == value) else {
                    let message = format!("{syntax} must be in GROUP BY, or in an aggregate such as max({syntax})");
                    return Err(resolver.error(place, message));
                };
                names[place_of_group].get_or_insert_with(|| name.clone());
                Output::Group(place_of_group)
            }
        };
        select.push(SelectColumn { name, output });
    }
    let mut columns = Vec::with_capacity(groups.len());
    for (group, name) in groups.into_iter().zip(names) {
        let Some(name) = name else {
            let message =
                format!("the group column {} must be in the SELECT list: it tells the rows apart", group.source);
            return Err(resolver.error(group.place, message));
        };
        columns.push(GroupColumn { name, expression: group });
    }
    if aggregates.is_empty() {
        let message = "a view needs an aggregate, such as count(*)";
        return Err(resolver.error(items.first().map(|item| place_of(item.syntax)).unwrap_or_default(), message));
    }
    Ok((columns, aggregates, select))
}

/// Whether an operand of an expression is an aggregate.
fn contains_aggregate(syntax: &Expr) -> bool {
    let part = |part: &Expr| as_aggregate(part).is_some() || contains_aggregate(part);
    match unnested(syntax) {
        Expr::BinaryOp { left, right, .. } => part(left) || part(right),
        Expr::UnaryOp { expr, .. } | Expr::Cast { expr, .. } => part(expr),
        Expr::Function(function) => match &function.args {
            sqlparser::ast::FunctionArguments::List(list) => list.args.iter().any(|argument| match argument {
                sqlparser::ast::FunctionArg::Unnamed(sqlparser::ast::FunctionArgExpr::Expr(argument)) => part(argument),
                _ => false,
            }),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::types::Type;
    use crate::sql::view::AggregateFunction;

    fn plan(text: &str) -> ViewPlan {
        parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refused(text: &str, part: &str) {
        let error = parse(text).expect_err(text);
        assert!(error.to_string().contains(part), "{text}\n{error}");
    }

    #[test]
    fn a_view_is_one_filter_one_projection_one_aggregate() {
        let plan = plan(
            "CREATE VIEW paid_by_region AS
             SELECT day, new.region, count(*) AS orders, sum(new.amount::numeric(18,2)) AS amount, max(commit_time) AS last
             FROM shop.\"order\"
             WHERE op IN ('INSERT', 'UPDATE') AND new.state = 'paid'
             GROUP BY day, new.region;",
        );
        let source = TableName { schema: "shop".to_owned(), table: "order".to_owned() };
        assert_eq!((plan.name.as_str(), &plan.source), ("paid_by_region", &ViewSource::Table(source)));
        let groups: Vec<&str> = plan.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!((groups, plan.day_group()), (vec!["day", "region"], Some(0)));
        let kinds: Vec<_> = plan.aggregates.iter().map(|aggregate| (aggregate.function, aggregate.kind)).collect();
        assert_eq!(
            kinds,
            [
                (AggregateFunction::Count, Type::BigInt),
                (AggregateFunction::Sum, Type::Decimal { scale: 2 }),
                (AggregateFunction::Max, Type::TimestampTz),
            ]
        );
        let names: Vec<&str> = plan.select.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["day", "region", "orders", "amount", "last"]);
        assert_eq!(plan.select[1].output, Output::Group(1));
        assert_eq!(plan.select[4].output, Output::Aggregate(2));
        let inputs: Vec<String> = plan.columns.as_slice().iter().map(ToString::to_string).collect();
        assert_eq!(inputs, ["op", "new.state", "day", "new.region", "new.amount", "commit_time"]);
    }

    #[test]
    fn groups_are_named_by_number_and_alias_too() {
        let plan = plan(
            "CREATE VIEW v AS SELECT lower(new.a) AS a, new.b || 'x' AS b, count(DISTINCT key.id) FILTER (WHERE op = 'INSERT') AS n \
             FROM changes GROUP BY 1, b",
        );
        assert_eq!((plan.groups.len(), plan.source), (2, ViewSource::AllChanges));
        assert_eq!(plan.aggregates[0].function, AggregateFunction::CountDistinct);
        assert!(plan.aggregates[0].filter.is_some());
        let plan = self::plan("CREATE VIEW v AS SELECT avg(lsn) AS a, sum(lsn), bool_and(op = 'x') AS b FROM changes");
        assert_eq!(
            plan.aggregates.iter().map(|aggregate| aggregate.kind).collect::<Vec<_>>(),
            [Type::Numeric, Type::Decimal { scale: 0 }, Type::Boolean]
        );
        assert_eq!((plan.groups.len(), plan.day_group()), (0, None));
    }

    #[test]
    fn what_a_view_cannot_say_is_refused_with_the_alternative() {
        let of = |select: &str| format!("CREATE VIEW v AS SELECT {select}");
        for (text, part) in [
            ("SELECT 1".to_owned(), "CREATE VIEW name AS"),
            (of("count(*) FROM changes HAVING count(*) > 1"), "HAVING"),
            (of("count(*) FROM changes ORDER BY 1"), "ORDER BY"),
            (of("count(*) FROM changes LIMIT 5"), "LIMIT"),
            (of("count(*) FROM changes UNION SELECT 1"), "UNION"),
            (of("DISTINCT op FROM changes"), "DISTINCT"),
            (of("* FROM changes"), "SELECT *"),
            (of("count(*) FROM a.b JOIN c.d ON true"), "joins"),
            (of("count(*) FROM a.b, c.d"), "joins"),
            (of("count(*) FROM (SELECT 1) x"), "subqueries"),
            (of("count(*) FROM orders"), "public.orders"),
            (of("count(*) FROM a.b AS x"), "aliases"),
            (of("count(*) OVER () AS n FROM changes"), "window functions"),
            (of("op, count(*) FROM changes"), "GROUP BY"),
            (of("lower(op) AS o, count(*) FROM changes GROUP BY op"), "GROUP BY"),
            (of("count(*) FROM changes GROUP BY op"), "SELECT list"),
            (of("op FROM changes GROUP BY op"), "needs an aggregate"),
            (of("count(*) + 1 AS n FROM changes"), "when reading"),
            (of("count(*), count(*) FROM changes"), "two columns"),
            (of("op || 'x', count(*) FROM changes GROUP BY 1"), "needs a name"),
            (of("sum(new.x) FROM changes"), "numeric(18,2)"),
            (of("sum(DISTINCT lsn) FROM changes"), "count(DISTINCT x)"),
            (of("max(op = 'x') FROM changes"), "order"),
            (of("count(*) FROM changes GROUP BY count(*)"), "aggregate"),
            (of("count(*) FROM changes GROUP BY 2"), "1 columns"),
            (of("count(*) FROM changes WHERE commit_time > now()"), "write the time"),
            (of("count(*) FROM changes GROUP BY ROLLUP (op)"), "not supported"),
            ("CREATE VIEW v AS WITH x AS (SELECT 1) SELECT count(*) FROM x".to_owned(), "WITH"),
            ("CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM changes".to_owned(), "MATERIALIZED"),
            ("CREATE OR REPLACE VIEW v AS SELECT count(*) FROM changes".to_owned(), "drop the view"),
            ("CREATE VIEW a.v AS SELECT count(*) FROM changes".to_owned(), "no schema"),
            ("CREATE VIEW v (a) AS SELECT count(*) FROM changes".to_owned(), "SELECT list"),
            ("CREATE VIEW v AS SELECT count(*) FROM changes; DROP TABLE x".to_owned(), "one view at a time"),
        ] {
            refused(&text, part);
        }
    }

    #[test]
    fn a_name_is_a_safe_folder() {
        let named = |name: &str| format!("CREATE VIEW {name} AS SELECT count(*) FROM changes");
        for name in ["v", "_x1", "PAID", "\"paid\"", &"a".repeat(63)] {
            assert_eq!(plan(&named(name)).name.as_str(), name.trim_matches('"').to_lowercase());
        }
        for name in
            ["\"../x\"", "\"\"", "\"Paid\"", "\"a b\"", "\"é\"", "\"1a\"", "\"a.b\"", "\"a\0\"", &"a".repeat(64)]
        {
            refused(&named(name), "");
        }
    }
}
