use mirror::Debt;

fn pay_twice(debt: Debt) {
    let again = debt.clone();
    drop(debt.mutations());
    drop(again.mutations());
}

fn main() {}
